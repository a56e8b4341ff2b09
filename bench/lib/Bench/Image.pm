package Bench::Image;

# The images that need the most memory of all that are accepted, 256 megapixels
# each.  What they show does not matter, so they compress to next to nothing.

use strict;
use warnings;

use Compress::Zlib ();

use Imagegram::Image ();

use constant {
    WIDTH  => 16_000,
    HEIGHT => 16_000,
};


# RGBA of 16 bits, interlaced: no row is complete before the last pass.

sub png {
    my ($path) = @_;

    my $deflate = Compress::Zlib::deflateInit(-Level => 1);

    return Imagegram::Image::write_file($path, sub {
        my ($out) = @_;

        $out->("\x89PNG\r\n\x1a\n");
        $out->(Imagegram::Image::chunk('IHDR', pack 'NNC5', WIDTH, HEIGHT, 16,
            6, 0, 0, 1));

        for my $pass (Imagegram::Image::passes(interlaced => 1)) {
            my ($x, $y, $dx, $dy) = @$pass;
            my $columns = int((WIDTH - $x + $dx - 1) / $dx);
            my $rows = int((HEIGHT - $y + $dy - 1) / $dy);
            my $row = "\0" . "\x40\x80\xc0\xff" x (2 * $columns);

            for (1 .. $rows) {
                my ($data) = $deflate->deflate($row);
                $out->(Imagegram::Image::chunk('IDAT', $data)) if length $data;
            }
        }

        my ($data) = $deflate->flush;

        $out->(Imagegram::Image::chunk('IDAT', $data));
        $out->(Imagegram::Image::chunk('IEND', ''));
    });
}


# Grey all over: in each component's table one code, of one bit, for DC says
# that nothing changed, and so does one for AC that a block has ended.  Ones
# fill up the last byte.
# A progressive one of four components keeps the most coefficients: its first
# scan has DC alone.

sub jpeg {
    my ($path, %options) = @_;

    my $progressive = $options{progressive} ? 1 : 0;
    my @components = 1 .. ($options{components} // 3);
    my $blocks = int((WIDTH + 7) / 8) * int((HEIGHT + 7) / 8) * @components;
    my $bits = $blocks * (2 - $progressive);

    return Imagegram::Image::write_file($path, sub {
        my ($out) = @_;

        $out->("\xff\xd8");
        $out->(segment(0xdb, "\0" . "\1" x 64));
        $out->(segment(0xc0 + 2 * $progressive, pack('CnnC', 8, HEIGHT, WIDTH,
            scalar @components), map { pack 'C3', $_, 0x11, 0 } @components));
        $out->(segment(0xc4, pack('C', $_), "\1", "\0" x 15, "\0"))
            for 0x00, 0x10;
        $out->(segment(0xda, pack('C', scalar @components),
            map({ pack 'CC', $_, 0 } @components),
            pack 'C3', 0, $progressive ? 0 : 63, 0));
        $out->("\0" x ($bits / 8));
        $out->(pack 'C', 0xff >> $bits % 8) if $bits % 8;
        $out->("\xff\xd9");
    });
}


sub segment {
    my ($marker, @data) = @_;

    my $data = join '', @data;

    return pack('CCn', 0xff, $marker, 2 + length $data) . $data;
}


# One bit a pixel, uncompressed: with more it has more than 100 MB

sub bmp {
    my ($path) = @_;

    return Imagegram::Image::write_file($path, sub {
        my ($out) = @_;

        $out->(Imagegram::Image::bmp_header(WIDTH, HEIGHT, 1, 54 + 8,
            WIDTH / 8 * HEIGHT));
        $out->(pack 'C4', ($_) x 3, 0) for 0, 255;
        $out->(substr pack('C*', 0 .. 255) x 9, $_ % 256, WIDTH / 8)
            for 1 .. HEIGHT;
    });
}


1;
