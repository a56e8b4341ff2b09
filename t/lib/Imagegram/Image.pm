package Imagegram::Image;

# Images made for tests, none is stored; and readers for what comes out.
#
# "pixel" is sub ($x, $y) giving (r, g, b) or (r, g, b, a), 0 to 255; the
# default is a picture whose four corners differ, see corner().

use strict;
use warnings;

use Compress::Zlib ();
use File::Temp ();


# Red, green, blue, white from top left to bottom right.

sub corner {
    my ($width, $height) = @_;

    my @colours = ([230, 20, 20], [20, 200, 20], [20, 20, 230],
        [250, 250, 250]);

    return sub {
        my ($x, $y) = @_;
        return @{ $colours[ ($x * 2 >= $width) + 2 * ($y * 2 >= $height) ] };
    };
}


# --- BMP

# depth: 1, 4, 8 (with a palette of greys), 16 (5-5-5), 24, 32; top_down

sub bmp {
    my ($width, $height, %options) = @_;

    my $depth = $options{depth} // 24;
    my $pixel = $options{pixel} // corner($width, $height);
    my $colours = $depth <= 8 ? 2**$depth : 0;
    my @rows;

    for my $y (0 .. $height - 1) {
        my @row = map { [$pixel->($_, $y)] } 0 .. $width - 1;
        push @rows, bmp_row($depth, @row);
    }

    @rows = reverse @rows unless $options{top_down};

    my $data = join '', @rows;
    my $palette = join '', map {
        my $grey = int($_ * 255 / ($colours - 1));
        pack 'C4', $grey, $grey, $grey, 0;
    } 0 .. $colours - 1;

    return bmp_header($width, $options{top_down} ? -$height : $height, $depth,
        54 + length $palette, length $data) . $palette . $data;
}


sub bmp_row {
    my ($depth, @row) = @_;

    my $bytes;

    if ($depth <= 8) {
        my $max = 2**$depth - 1;
        my $bits = join '', map {
            sprintf "%0${depth}b",
                int(($_->[0] + $_->[1] + $_->[2]) / 3 * $max / 255 + 0.5)
        } @row;

        $bytes = pack 'B*', $bits;

    } elsif ($depth == 16) {
        $bytes = pack 'v*', map {
            ($_->[0] >> 3) << 10 | ($_->[1] >> 3) << 5 | $_->[2] >> 3
        } @row;

    } else {
        my $pad = $depth == 32 ? "\0" : '';
        $bytes = join '', map { pack('C3', @$_[2, 1, 0]) . $pad } @row;
    }

    return $bytes . "\0" x (-length($bytes) % 4);
}


sub bmp_header {
    my ($width, $height, $depth, $offset, $size) = @_;

    return pack('a2VvvV', 'BM', $offset + $size, 0, 0, $offset)
        . pack('Vl<l<vvVVVVVV', 40, $width, $height, 1, $depth, 0, $size,
            2835, 2835, 0, 0);
}


# A 24 bit BMP of exactly so many bytes, written to a file: rows of noise that
# repeat; what is left lies between header and pixels.

sub big_bmp {
    my ($path, $size) = @_;

    my $width = int(sqrt(($size - 54) / 3));
    my $stride = ($width * 3 + 3) & ~3;
    my $height = int(($size - 54) / $stride);
    my $offset = $size - $stride * $height;

    my $noise = noise(2 * $stride);

    write_file($path, sub {
        my ($out) = @_;

        $out->(bmp_header($width, $height, 24, $offset, $stride * $height));
        $out->("\0" x ($offset - 54));
        $out->(substr $noise, $_ * 331 % $stride, $stride)
            for 0 .. $height - 1;
    });
}


# --- PNG

# type: 0 grey, 2 RGB (default), 3 palette, 4 grey and alpha, 6 RGBA; depth: 8
# or 16, for palettes 1, 2, 4, 8; interlaced; chunks: [ [type, data], ... ]
# before IDAT (palette: PLTE and what else is needed are made here).

sub png {
    my ($width, $height, %options) = @_;

    my $type = $options{type} // 2;
    my $depth = $options{depth} // 8;
    my $pixel = $options{pixel} // corner($width, $height);

    my (%index, @palette);
    my $rows = '';

    for my $pass (passes(%options)) {
        my ($left, $top, $across, $down) = @$pass;

        for (my $y = $top; $y < $height && $left < $width; $y += $down) {
            my @values;

            for (my $x = $left; $x < $width; $x += $across) {
                my ($r, $g, $b, $a) = $pixel->($x, $y);

                $a //= 255;

                if ($type == 3) {
                    my $key = "$r,$g,$b,$a";

                    push @palette, [$r, $g, $b, $a] unless exists $index{$key};
                    $index{$key} //= $#palette;
                    push @values, $index{$key};
                    next;
                }

                push @values, $type & 2 ? ($r, $g, $b)
                    : int(($r + $g + $b) / 3);
                push @values, $a if $type & 4;
            }

            $rows .= "\0" . png_row($depth, $type == 3, @values);
        }
    }

    my @chunks;

    if ($type == 3) {
        push @chunks, [PLTE => join '', map { pack 'C3', @$_ } @palette];
        push @chunks, [tRNS => join '', map { pack 'C', $_->[3] } @palette]
            if grep { $_->[3] < 255 } @palette;
    }

    return join '', "\x89PNG\r\n\x1a\n",
        chunk('IHDR', pack 'NNC5', $width, $height, $depth, $type, 0, 0,
            $options{interlaced} ? 1 : 0),
        map({ chunk(@$_) } @{ $options{chunks} // [] }, @chunks),
        chunk('IDAT', Compress::Zlib::compress($rows)),
        chunk('IEND', '');
}


# Where each pass starts, and its steps

sub passes {
    my (%options) = @_;

    return $options{interlaced}
        ? ([0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4],
            [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2])
        : [0, 0, 1, 1];
}


sub png_row {
    my ($depth, $palette, @values) = @_;

    return pack 'n*', map { $_ * 257 } @values if $depth == 16;
    return pack 'C*', @values if $depth == 8;

    return pack 'B*', join '', map {
        sprintf "%0${depth}b", $palette ? $_ : $_ >> (8 - $depth)
    } @values;
}


sub chunk {
    my ($type, $data) = @_;

    return pack('N', length $data) . $type . $data
        . pack('N', Compress::Zlib::crc32($type . $data));
}


# An RGB PNG of exactly so many bytes, written to a file: noise, stored in
# deflate blocks without compression, one IDAT a row; what is left is padding
# in one private chunk.

sub big_png {
    my ($path, $size) = @_;

    # a row of up to 65,535 bytes is one block; 5 bytes of block header, 12 of
    # chunk; signature, IHDR, zlib header and trailer, IEND, padding chunk: 99
    my $width = int(sqrt($size / 3));

    $width = 21_844 if $width > 21_844;

    my $row = 1 + 3 * $width;
    my $height = int(($size - 256) / ($row + 17));
    my $noise = "\0" . noise(2 * $row);

    write_file($path, sub {
        my ($out) = @_;

        my $adler = Compress::Zlib::adler32('');
        my $left = $size;

        my $put = sub { $left -= length $_[0]; $out->($_[0]) };

        $put->("\x89PNG\r\n\x1a\n");
        $put->(chunk('IHDR', pack 'NNC5', $width, $height, 8, 2, 0, 0, 0));

        # of what follows: rows, zlib header and checksum in a chunk each,
        # IEND, and the padding's own 12 bytes
        my $rest = $height * ($row + 17) + 14 + 16 + 12 + 12;

        $put->(chunk('paDd', "\0" x ($left - $rest)));
        $put->(chunk('IDAT', "\x78\x01"));

        for my $y (0 .. $height - 1) {
            my $data = "\0" . substr $noise, $y * 331 % $row, $row - 1;

            $adler = Compress::Zlib::adler32($data, $adler);
            $put->(chunk('IDAT', pack('Cvv', $y == $height - 1, $row,
                $row ^ 0xffff) . $data));
        }

        $put->(chunk('IDAT', pack 'N', $adler));
        $put->(chunk('IEND', ''));
    });
}


# A PNG all white, of few bytes for its size: what takes long to convert.
# options: interlaced.

sub blank_png {
    my ($width, $height, %options) = @_;

    my $deflate = Compress::Zlib::deflateInit(-Level => 1);
    my $data = '';

    for my $pass (passes(%options)) {
        my ($x, $y, $dx, $dy) = @$pass;
        my $row = "\0" . "\xff" x (8 * int(($width - $x + $dx - 1) / $dx));

        $data .= $deflate->deflate($row)
            for 1 .. int(($height - $y + $dy - 1) / $dy);
    }

    $data .= $deflate->flush;

    return join '', "\x89PNG\r\n\x1a\n",
        chunk('IHDR', pack 'NNC5', $width, $height, 16, 6, 0, 0,
            $options{interlaced} ? 1 : 0),
        chunk('IDAT', $data), chunk('IEND', '');
}


# --- JPEG, by cjpeg and djpeg of libjpeg-turbo

# options: cjpeg's arguments, in an array: [-progressive], [-grayscale], ...

sub jpeg {
    my ($width, $height, %options) = @_;

    my $pixel = $options{pixel} // corner($width, $height);
    my $ppm = "P6\n$width $height\n255\n";

    for my $y (0 .. $height - 1) {
        $ppm .= join '', map { pack 'C3', $pixel->($_, $y) } 0 .. $width - 1;
    }

    return filter($ppm, 'cjpeg', @{ $options{options} // [] });
}


# A JPEG of 16x16 pixels of one colour, of any number of components: blocks
# that have a mean and nothing else.

sub plain_jpeg {
    my (@colour) = @_;

    my $n = @colour;
    my @means = map { 8 * ($_ - 128) } @colour;
    my $bits = '';

    # a mean is told by its difference to the one before; 4 bits its length
    for my $block (1 .. 4) {
        for my $mean (@means) {
            my $value = $block == 1 ? $mean : 0;
            my $length = $value ? length sprintf '%b', abs $value : 0;

            $value += 2**$length - 1 if $value < 0;

            $bits .= sprintf('%04b', $length)
                . ($length ? sprintf "%0${length}b", $value : '') . '0';
        }
    }

    $bits .= '1' x (-length($bits) % 8);

    my $data = pack('B*', $bits) =~ s/\xff/\xff\0/gr;

    return "\xff\xd8" . join('', map { segment(@$_) }
        [0xdb, "\0" . "\1" x 64],
        [0xc0, pack('CnnC', 8, 16, 16, $n)
            . join('', map { pack 'C3', $_, 0x11, 0 } 1 .. $n)],
        [0xc4, "\0" . pack('C16', 0, 0, 0, 12, (0) x 12) . pack('C*', 0 .. 11)],
        [0xc4, "\x10" . pack('C16', 1, (0) x 15) . "\0"],
        [0xda, pack('C', $n) . join('', map { pack 'CC', $_, 0 } 1 .. $n)
            . "\0\x3f\0"]) . "$data\xff\xd9";
}


# A progressive JPEG of one component or three, all of whose coefficients are
# zero.  A scan each for [component, coefficient, Ah, Al]: from bit Ah, or 0
# where it is the first one, down to bit Al.

sub progressive_jpeg {
    my ($width, $height, $components, @scans) = @_;

    my $n = int(($width + 7) / 8) * int(($height + 7) / 8);
    my $means = "\0" x int(($n + 7) / 8);      # a bit for each block
    my ($left, $bits) = ($n, '');

    # 10 and 14 bits: that many blocks and 16384 are zero; 0: one is

    while ($left >= 16_384) {
        my $run = $left < 32_768 ? $left : 32_767;

        $bits .= sprintf '10%014b', $run - 16_384;
        $left -= $run;
    }

    $bits .= '0' x $left;
    $bits .= '1' x (-length($bits) % 8);

    my $runs = pack('B*', $bits) =~ s/\xff/\xff\0/gr;

    return join '', "\xff\xd8",
        segment(0xdb, "\0" . "\1" x 64),
        segment(0xc2, pack('CnnC', 8, $height, $width, $components)
            . join('', map { pack 'C3', $_, 0x11, 0 } 1 .. $components)),
        segment(0xc4, "\0" . pack('C16', 1, (0) x 15) . "\0"),
        segment(0xc4, "\x10" . pack('C16', 1, 1, (0) x 14) . "\0\xe0"),
        map({
            my ($component, $k, $from, $to) = @$_;
            segment(0xda, pack 'C6', 1, $component, 0, $k, $k,
                $from << 4 | $to), $k ? $runs : $means;
        } @scans), "\xff\xd9";
}


# All scans that there can be of so many components: each bit of each
# coefficient by itself

sub all_scans {
    my ($components) = @_;

    return map {
        my $component = $_;
        map {
            my $k = $_;
            map { [$component, $k, $_ == 13 ? 0 : $_ + 1, $_] }
                reverse 0 .. 13;
        } 0 .. 63;
    } 1 .. $components;
}


# marker, data

sub segment { return pack('CCn', 0xff, $_[0], 2 + length $_[1]) . $_[1] }


# A JPEG with segments put in behind SOI: ([0xe1, data], ...)

sub with_segments {
    my ($jpeg, @segments) = @_;

    return substr($jpeg, 0, 2) . join('', map { segment(@$_) } @segments)
        . substr $jpeg, 2;
}


# The segment that tells an orientation, 1 to 8

sub exif {
    my ($orientation) = @_;

    return [0xe1, "Exif\0\0MM\0*" . pack('NnnnNnnN', 8, 1, 0x112, 3, 1,
        $orientation, 0, 0)];
}


# A JPEG of so many bytes, written to a file: noise, then comments.

sub big_jpeg {
    my ($path, $size) = @_;

    my $jpeg = jpeg(64, 64);
    my $left = $size - length $jpeg;

    write_file($path, sub {
        my ($out) = @_;

        $out->(substr $jpeg, 0, 2);

        while ($left > 0) {
            my $n = $left < 65_537 ? $left : $left < 65_541 ? 65_000 : 65_537;

            $out->(pack('CCn', 0xff, 0xfe, $n - 2) . 'x' x ($n - 4));
            $left -= $n;
        }

        $out->(substr $jpeg, 2);
    });
}


# What a JPEG's header tells: width, height, components, precision,
# progressive, sampling ("2x2"), segments: { APP1 => bytes, COM => ... }, exif,
# icc.  Undef for what is no JPEG.

sub jpeg_info {
    my ($jpeg) = @_;

    return unless substr($jpeg, 0, 2) eq "\xff\xd8";

    my %info = (segments => {}, exif => 0, icc => 0);
    my $at = 2;

    while ($at + 4 <= length $jpeg) {
        my ($ff, $marker, $length) = unpack 'CCn', substr $jpeg, $at, 4;

        return unless $ff == 0xff;
        last if $marker == 0xda;

        my $data = substr $jpeg, $at + 4, $length - 2;

        if ($marker >= 0xe0 && $marker <= 0xef || $marker == 0xfe) {
            my $name = $marker == 0xfe ? 'COM' : 'APP' . ($marker - 0xe0);

            $info{segments}{$name} += length $data;
            $info{exif} = 1 if $data =~ /^Exif\0/;
            $info{icc} = 1 if $data =~ /^ICC_PROFILE\0/;

        } elsif ($marker >= 0xc0 && $marker <= 0xc2) {
            my $sampling;

            $info{progressive} = $marker == 0xc2;
            (@info{qw(precision height width components)}, undef, $sampling)
                = unpack 'CnnCCC', $data;
            $info{sampling} = ($sampling >> 4) . 'x' . ($sampling & 15);
        }

        $at += 2 + $length;
    }

    return \%info;
}


# A JPEG decoded: { width, height, data }, 3 bytes a pixel

sub decode {
    my ($jpeg) = @_;

    my $ppm = filter($jpeg, 'djpeg', '-ppm', '-rgb');

    $ppm =~ /\AP6\n(\d+) (\d+)\n255\n/ or die "djpeg gave no picture\n";

    return { width => $1, height => $2, data => substr $ppm, $+[0] };
}


sub pixel_at {
    my ($image, $x, $y) = @_;
    return unpack 'C3', substr $image->{data},
        3 * ($y * $image->{width} + $x), 3;
}


# Whether a pixel is within 24 of a colour, JPEG's losses left aside

sub is_near {
    my ($image, $x, $y, @colour) = @_;

    my @found = pixel_at($image, $x, $y);

    return !grep { abs($found[$_] - $colour[$_]) > 24 } 0 .. 2;
}


# Peak signal to noise ratio of two images of one size, dB; every seventh byte
# tells.

sub psnr {
    my ($first, $second) = @_;

    my ($n, $sum) = (int(length($first->{data}) / 7), 0);
    my @first = unpack "(Cx6)$n", $first->{data};
    my @second = unpack "(Cx6)$n", $second->{data};

    die "the sizes differ\n"
        if length $first->{data} != length $second->{data};

    $sum += ($first[$_] - $second[$_])**2 for 0 .. $#first;

    return $sum ? 10 * log(255**2 * @first / $sum) / log 10 : 99;
}


# --- helpers

sub noise {
    my ($length) = @_;

    my ($state, $bytes) = (1, '');

    while (length $bytes < $length) {
        $state = ($state * 1_103_515_245 + 12_345) & 0x7fffffff;
        $bytes .= pack 'n', $state >> 8 & 0xffff;
    }

    return substr $bytes, 0, $length;
}


sub write_file {
    my ($path, $code) = @_;

    open my $file, '>:raw', $path or die "$path: $!\n";
    $code->(sub { print {$file} $_[0] });
    close $file or die "$path: $!\n";

    return $path;
}


sub filter {
    my ($input, @command) = @_;

    my $file = File::Temp->new;

    binmode $file;
    print {$file} $input;
    $file->flush;

    open my $pipe, '-|', @command, "$file" or die "$command[0]: $!\n";
    binmode $pipe;

    my $output = do { local $/; <$pipe> };

    close $pipe or die "$command[0] failed\n";

    return $output;
}


1;
