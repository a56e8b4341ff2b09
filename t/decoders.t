#!/usr/bin/perl

# What is damaged, cut off or against its format's rules is refused, and for
# which reason; what is only odd becomes the right picture.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();

use Imagegram;
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new;

my @red = (255, 0, 0);
my @white = (255, 255, 255);
my @grey = (128, 128, 128);


sub refused {
    my ($reason, $what, $image, @options) = @_;

    my ($status, $said) = $t->convert($image, @options);

    is($status, 2, "$what: exit status 2");
    like($said, qr/\Aimagegram-convert: [^\n]*: $reason\n\z/,
        "$what: $reason");
}

sub damaged { refused('cannot be decoded', @_) }


# Becomes a picture with these colours: left, top, colour; gives it.

sub shows {
    my ($what, $image, $options, @points) = @_;

    my ($status, $said, $jpeg) = $t->convert($image, @$options);

    is("$status $said", '0 ', "$what: converted") or return;

    my $picture = Imagegram::Image::decode($jpeg);

    while (my ($x, $y, $colour) = splice @points, 0, 3) {
        ok(Imagegram::Image::is_near($picture, $x, $y, @$colour),
            "$what: at $x, $y") or diag(join ' ',
            Imagegram::Image::pixel_at($picture, $x, $y), 'is not', @$colour);
    }

    return $picture;
}


# --- PNG: chunks; 8 x 8, as a rule, and red

sub chunk { return Imagegram::Image::chunk(@_) }

sub ihdr {
    my (%options) = @_;

    return chunk('IHDR', pack 'NNC5', 8, 8, $options{depth} // 8,
        $options{type} // 2, 0, 0, 0);
}

sub idat { return chunk('IDAT', Compress::Zlib::compress($_[0])) }

my $signature = "\x89PNG\r\n\x1a\n";
my $iend = chunk('IEND', '');
my $rows = ("\0" . "\xff\0\0" x 8) x 8;
my $indexes = ("\0" . "\0" x 8) x 8;
my @palette = (ihdr(type => 3), chunk('PLTE', pack 'C3', @red));

sub png { return join '', $signature, @_ }

my $start = png(ihdr());
my $end = idat($rows) . $iend;

shows('a PNG', $start . $end, [], 300, 300, \@red);
shows('one with a palette', png(@palette, idat($indexes), $iend), [],
    300, 300, \@red);

for my $case (
    ['no palette',              ihdr(type => 3), idat($indexes)],
    ['a palette of nothing',    ihdr(type => 3), chunk('PLTE', ''),
        idat($indexes)],
    ['a third of a colour',     ihdr(type => 3), chunk('PLTE', "\xff\0\0\0"),
        idat($indexes)],
    ['257 colours',             ihdr(type => 3),
        chunk('PLTE', "\xff\0\0" x 257), idat($indexes)],
    ['a critical chunk that nobody knows', ihdr(), chunk('CgBI', "\0" x 4),
        idat($rows)],
    ['a second header',         ihdr(), ihdr(), idat($rows)],
    ['a second palette',        @palette, $palette[1], idat($indexes)],
    ['no pixels',               ihdr()],
    ['a chunk of 2 GB',         ihdr(), pack('N', 2**31) . 'tEXt'],
    ['another chunk amid the pixels', ihdr(), chunk('IDAT', "\x78\x01"),
        chunk('tEXt', "x\0y"), chunk('IDAT',
        substr Compress::Zlib::compress($rows), 2)],
    ['a wrong sum of a palette', ihdr(type => 3), chunk('PLTE', pack 'C3', @red)
        ^ "\0" x 14 . "\1", idat($indexes)],
    ['a wrong sum of pixels',   ihdr(), idat($rows) =~ s/.\z/x/sr],
    ['no zlib',                 ihdr(), chunk('IDAT', "\x79\x01\x03\0")],
    ['zlib with a dictionary',  ihdr(), chunk('IDAT', "\x78\xf9\x03\0")],
    ['a window of 64 KB',       ihdr(), chunk('IDAT', "\x88\x1c\x03\0")],
    ['no deflate',              ihdr(), chunk('IDAT', "\x78\x01\x07\0")],
    ['a row too few',           ihdr(), idat(substr $rows, 25)],
    ['a byte too few',          ihdr(), idat(substr $rows, 1)],
    ['filter 5',                ihdr(), idat("\5" . substr $rows, 1)],
    ['filter 255, later',       ihdr(), idat($rows =~ s/(.{25})\0/$1\xff/r)],
) {
    my ($what, @chunks) = @$case;

    damaged("PNG: $what", png(@chunks, $iend));
}

# each chunk cut off in its head, its data and its sum

my @chunks = (@palette, chunk('tRNS', "\xff"), chunk('gAMA', pack 'N', 45_455),
    chunk('sRGB', "\0"), chunk('iCCP', "x\0\0" . Compress::Zlib::compress('x')),
    chunk('eXIf', "MM\0*\0\0\0\x08\0\0"), chunk('tEXt', "x\0y"),
    idat($indexes), chunk('tEXt', "x\0y"), $iend);

shows('all of its chunks', png(@chunks), [], 300, 300, \@red);

for my $i (1 .. $#chunks) {
    my ($type, $length) = (substr($chunks[$i], 4, 4), length $chunks[$i]);

    for my $cut (grep { $_ < $length } 0, 5, 8, 9, $length - 4, $length - 1) {
        damaged("PNG: $cut bytes of $type $i",
            png(@chunks[0 .. $i - 1], substr $chunks[$i], 0, $cut));
    }
}

# what is broken and does not matter, or may come in pieces

my $zlib = Compress::Zlib::compress($rows);
my $profile = "x\0\0" . Compress::Zlib::compress("\0" x 200);

for my $case (
    ['a palette for RGB',         chunk('PLTE', "\0\xff\0" x 300)],
    ['transparency for RGB that is too short', chunk('tRNS', "\0\xff\0")],
    ['a gamma of three bytes',    chunk('gAMA', "\0\1\0")],
    ['a gamma of zero',           chunk('gAMA', "\0\0\0\0")],
    ['a profile without end of its name', chunk('iCCP', 'x' x 200)],
    ['a profile compressed by something else', chunk('iCCP', "x\0\1abc")],
    ['a profile that is no zlib', chunk('iCCP', "x\0\0abc")],
    ['a profile of one byte',     chunk('iCCP', "x\0\0x")],
    ['a profile cut off',         chunk('iCCP', substr $profile, 0, 10)],
    ['a profile of zeros',        chunk('iCCP', $profile)],
    ['a profile of more than 4 MB', chunk('iCCP', "x\0\0" . 'x' x (1 << 22))],
    ['EXIF of more than 64 KB',   chunk('eXIf', "MM\0*\0\0\0\x08\0\1"
        . pack('nnNnn', 0x112, 3, 1, 3, 0) . "\0" x 65_536)],
) {
    my ($what, $chunk) = @$case;

    shows("PNG: $what", $start . $chunk . $end, [], 300, 300, \@red);
}

for my $case (
    ['transparency for RGBA', ihdr(type => 6), chunk('tRNS', "\0\xff\0\0\0\0"),
        idat(scalar(("\0" . "\xff\0\0\xff" x 8) x 8))],
    ['transparency of more than the palette', @palette,
        chunk('tRNS', "\xff\0\0"), idat($indexes)],
    ['each byte in a chunk',  ihdr(), map { chunk('IDAT', $_) } split //,
        $zlib],
    ['empty chunks',          ihdr(), map { chunk('IDAT', $_) } '',
        substr($zlib, 0, 1), '', '', substr($zlib, 1), ''],
    ['more rows than it has', ihdr(), idat($rows x 2)],
    ['no sum of its pixels',  ihdr(), chunk('IDAT', substr $zlib, 0, -4)],
) {
    my ($what, @chunks) = @$case;

    shows("PNG: $what", png(@chunks, $iend), [], 300, 300, \@red);
}

# what lies above and below what is seen; as long as it gets, to one pixel

my ($plain, $interlaced) = map {
    ($t->convert(Imagegram::Image::png(5, 100, interlaced => $_),
        '--size=20x20'))[2]
} 0, 1;

ok(length $plain && $plain eq $interlaced,
    'PNG: tall and interlaced: the same picture');

for my $size ([60_000, 2], [2, 60_000]) {
    my $grey = Imagegram::Image::png(@$size, type => 0, depth => 1,
        pixel => sub { $_[0] & 1 ^ $_[1] & 1 ? (0) x 3 : (255) x 3 });

    shows("PNG: @$size to one pixel", $grey, ['--size=1x1', '--fit=stretch'],
        0, 0, \@grey);
}


# --- BMP: a header of 40 bytes, unless told otherwise

# options: offset, colours, compression, size: what it says of its own

sub bmp {
    my ($width, $height, $depth, $rest, %options) = @_;

    my $offset = $options{offset}
        // 54 + 4 * ($depth <= 8 ? $options{colours} || 2**$depth : 0);

    return pack('a2VVV', 'BM', $options{size} // 0, 0, $offset)
        . pack('Vl<l<vvVVVVVV', 40, $width, $height, 1, $depth,
            $options{compression} // 0, 0, 0, 0, $options{colours} // 0, 0)
        . $rest;
}

use constant { RLE8 => 1, RLE4 => 2, BITFIELDS => 3, JPEG => 4 };

my $entry = "\0\0\xff\0";           # red, as palettes have it
my $pixel = "\0\0\xff";
my $masks = pack 'V3', 0xf800, 0x07e0, 0x001f;

# OS/2's first header, of 12 bytes

sub os2 {
    my ($width, $height, $planes, $rest) = @_;

    return pack('a2VVV', 'BM', 0, 0, 26)
        . pack('Vv4', 12, $width, $height, $planes, 24) . $rest;
}

shows('a BMP', bmp(1, 1, 24, $pixel), [], 300, 300, \@red);
shows('BMP: the smallest', os2(1, 1, 1, $pixel), [], 300, 300, \@red);
shows('BMP: masks behind the header', bmp(1, 1, 16, $masks . pack('v', 0xf800),
    compression => BITFIELDS, offset => 66), [], 300, 300, \@red);

for my $case (
    ['smallest, without width', os2(0, 1, 1, '')],
    ['smallest, two planes',    os2(1, 1, 2, $pixel)],
    ['smallest, cut off',       os2(1, 1, 1, "\0\0")],
    ['less than it says',       bmp(1, 1, 24, $pixel, size => 5000)],
    ['cut off',                 bmp(1, 2, 24, $pixel)],
    ['pixels in the header',    bmp(1, 1, 24, $pixel, offset => 53)],
    ['pixels behind the end',   bmp(1, 1, 24, $pixel, offset => 58)],
    ['a palette cut off',       bmp(1, 1, 8, $entry x 255)],
    ['a palette longer than its place', bmp(1, 1, 8, $entry x 256 . "\0",
        offset => 1077, colours => 256)],
    ['a color that the palette lacks', bmp(1, 1, 8, $entry . "\1",
        colours => 1)],
    ['masks cut off',           bmp(1, 1, 16, substr($masks, 0, 8),
        compression => BITFIELDS, offset => 66)],
    ['a mask with a gap',       bmp(1, 1, 16, pack('V3v', 0xf0f0, 15, 0, 0),
        compression => BITFIELDS, offset => 66)],
    ['masks of nothing',        bmp(1, 1, 16, pack('V3v', (0) x 4),
        compression => BITFIELDS, offset => 66)],
    ['masks for 24 bits',       bmp(1, 1, 24, $masks . $pixel,
        compression => BITFIELDS, offset => 66)],
    ['a JPEG inside',           bmp(1, 1, 24, $pixel, compression => JPEG)],
    ['run lengths from the top down', bmp(1, -1, 8, $entry . "\1\0\0\1",
        colours => 1, compression => RLE8)],
    ['run lengths of other bits', bmp(1, 1, 4, $entry . "\1\0\0\1",
        colours => 1, compression => RLE8)],
) {
    my ($what, $bmp) = @$case;

    damaged("BMP: $what", $bmp);
}

refused('declares too many pixels', 'BMP: smallest', os2(20, 10, 1, ''),
    '--max-pixels=199');

# 4 x 2, of one color

sub rle {
    my ($data, $compression) = @_;

    $compression //= RLE8;

    return bmp(4, 2, $compression == RLE8 ? 8 : 4, $entry . $data,
        colours => 1, compression => $compression);
}

for my $case (
    ['nothing',                ''],
    ['half a code',            "\4"],
    ['no end',                 "\4\0"],
    ['a run beyond the palette', "\4\1\0\1"],
    ['pixels beyond the palette', "\0\4\0\0\0\1\0\1"],
    ['pixels cut off',         "\0\4\0\0"],
    ['a step cut off',         "\0\2\1"],
    ['a step to the right',    "\0\2\5\0\0\1"],
    ['a step beyond the top',  "\0\2\0\3\0\1"],
) {
    my ($what, $data) = @$case;

    damaged("BMP: RLE8: $what", rle($data));
}

damaged('BMP: RLE4: a run beyond the palette', rle("\4\x01\0\1", RLE4));
damaged('BMP: RLE4: pixels beyond the palette', rle("\0\4\0\x10\0\1", RLE4));

my @left = (['--fit=stretch'], 75, 450, \@red, 525, 450, \@white);

for my $case (
    ['RLE8: two pixels',       rle("\2\0\0\1"), @left],
    ['RLE4: two pixels',       rle("\2\0\0\1", RLE4), @left],
    ['RLE8: as they are',      rle("\0\3\0\0\0\0\0\1"), ['--fit=stretch'],
        75, 450, \@red, 525, 450, \@white],
    ['RLE8: a step',           rle("\0\2\2\1\2\0\0\1"), ['--fit=stretch'],
        525, 150, \@red, 75, 150, \@white, 75, 450, \@white],
    ['RLE8: a run that is too long', rle("\xff\0\0\1"), ['--fit=stretch'],
        75, 450, \@red, 525, 450, \@red, 300, 100, \@white],
    ['RLE8: more as they are than fit', rle("\3\0\0\3\0\0\0\0\0\1"),
        ['--fit=stretch'], 525, 450, \@red, 300, 100, \@white],
    ['RLE8: more rows than fit', rle("\4\0\0\0" x 2), ['--fit=stretch'],
        75, 450, \@red, 525, 100, \@red],
) {
    my ($what, @case) = @$case;

    shows("BMP: $what", @case);
}


# --- JPEG

sub segment { return pack('CCn', 0xff, $_[0], 2 + length $_[1]) . $_[1] }

my $jpeg = Imagegram::Image::plain_jpeg(@red);
my $exif = segment(@{ Imagegram::Image::exif(3) });
my $adobe = segment(0xee, "Adobe\0\x64\0\0\0\0\0");

# behind SOI; before EOI

sub ahead  { return substr($jpeg, 0, 2) . $_[0] . substr $jpeg, 2 }
sub behind { return substr($jpeg, 0, -2) . $_[0] . "\xff\xd9" }

# three components are RGB only where Adobe says so

shows('a JPEG', ahead($adobe), [], 300, 300, \@red);

$jpeg = ahead($adobe);

for my $case (
    ['cut off',                   substr $jpeg, 0, -10],
    ['without its end',           substr $jpeg, 0, -2],
    ['nothing behind its tables', $jpeg =~ s/\xff\xda.*//sr],
    ['a segment of one byte',     ahead("\xff\xe1\0\1")],
    ['EXIF that does not end',    ahead("\xff\xe1\xff\xff")],
    ['a comment that does not end', ahead("\xff\xfe\xff\xff")],
    ['no quantization',           $jpeg =~ s/\xff\xdb..\x00\x01{64}//sr],
    ['a table that is not there',
        $jpeg =~ s/\xff\xda\x00\x0c\x03\x01\K\x00/\x22/r],
    ['a code that is not there',  $jpeg =~ s/\?\0\K.*/\xfe\xff\xd9/sr],
    ['pixels too few',            $jpeg =~ s/\?\0.\K.*/\xff\xd9/sr],
    ['80 bytes behind the pixels', behind('x' x 80)],
) {
    my ($what, $damaged) = @$case;

    isnt($damaged, $jpeg, "JPEG: $what: is another one");
    damaged("JPEG: $what", $damaged);
}

# a transform that nobody knows, and JFIF: both are YCbCr

my @ycc = (76, 255, 28);

for my $case (
    ['64 bytes behind the pixels', \@red, behind('x' x 64)],
    ['another transform', \@ycc, $jpeg =~ s/(Adobe.{6})\x00/$1\x09/sr],
    ['JFIF of another age', \@ycc,
        ahead(segment(0xe0, "JFIF\0\2\0\0\0\1\0\1\0\0"))],
) {
    my ($what, $colour, $odd) = @$case;

    shows("JPEG: $what", $odd, [], 300, 300, $colour);
}

# what the header's check sees no more; EXIF where a buffer ends

my $long = segment(0xe2, 'x' x 65_533) . segment(0xe1, 'x' x 1000);

for my $case (
    ['arithmetic',      qr/\xff\K\xc0(?=\x00\x11\x08)/, "\xc9"],
    ['lossless',        qr/\xff\K\xc0(?=\x00\x11\x08)/, "\xc3"],
    ['12 bits',         qr/\xff\xc0\x00\x11\K\x08/, "\x0c"],
    ['without width',   qr/\xff\xc0\x00\x11\x08\x00\x10\K\x00\x10/, "\0\0"],
) {
    my ($what, $old, $new) = @$case;

    my $odd = ahead($long) =~ s/$old/$new/r;

    isnt($odd, ahead($long), "JPEG: $what, late: is another one");
    damaged("JPEG: $what, late", $odd);
}

damaged('JPEG: two components, late', substr($_, 0, 2) . $long . substr $_, 2)
    for Imagegram::Image::plain_jpeg(1, 2);

refused('declares too many pixels', 'JPEG: late', ahead($long),
    '--max-pixels=255');

for my $before (-10, -3, -1, 0, 1) {
    my $corner = Imagegram::Image::jpeg(64, 64);
    my $fill = 65_536 - 2 - length(segment(0xe2, '')) + $before;

    shows("JPEG: EXIF from byte 65536 $before on", substr($corner, 0, 2)
        . segment(0xe2, 'x' x $fill) . $exif . substr($corner, 2), [],
        100, 100, [250, 250, 250], 500, 500, [230, 20, 20]);
}

# tall and progressive, of which the middle is seen

my @same = map { $t->convert(Imagegram::Image::jpeg(64, 640,
    options => [$_, '-quality', 95],
    pixel => sub { 4 * $_[0], $_[1] * 255 / 640, 100 }))
} '-baseline', '-progressive';

is("@same[0, 3]", '0 0', 'JPEG: tall, baseline and progressive');
cmp_ok(Imagegram::Image::psnr(map { Imagegram::Image::decode($_) }
    @same[2, 5]), '>', 35, 'JPEG: the same picture');


# Progressive and grey: a scan for the mean of each block, and scans for one
# frequency each, which all are zero.

sub scans {
    my ($width, $height, $scans) = @_;

    my $n = int(($width + 7) / 8) * int(($height + 7) / 8);
    my $zeros = "\0" x int(($n + 7) / 8);
    my ($left, $bits) = ($n, '');

    # 10 and 14 bits: that many blocks and 16384; 0: one

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
        segment(0xc2, pack 'CnnC4', 8, $height, $width, 1, 1, 0x11, 0),
        segment(0xc4, "\0" . pack('C16', 1, (0) x 15) . "\0"),
        segment(0xc4, "\x10" . pack('C16', 1, 1, (0) x 14) . "\0\xe0"),
        segment(0xda, "\1\1\0\0\0\0"), $zeros,
        map({ (segment(0xda, "\1\1\0" . pack('CC', $_, $_) . "\0"), $runs) }
            1 .. $scans - 1),
        "\xff\xd9";
}

my $bound = 'declares more than can be decoded in bounded time and memory';

shows('JPEG: 32 scans', scans(16, 16, 32), [], 300, 300, \@grey);
refused($bound, 'JPEG: 33 scans', scans(16, 16, 33));

shows('JPEG: 3 million blocks', scans(14_400, 14_400, 2), ['--timeout=300s'],
    300, 300, \@grey);
refused($bound, 'JPEG: all scans of 100 million blocks',
    scans(14_400, 14_400, 32), '--timeout=300s');
refused($bound, 'JPEG: coefficients of 200 MB', scans(10_240, 10_240, 2),
    '--size=10240x10240');

done_testing();
