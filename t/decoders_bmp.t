#!/usr/bin/perl

# BMP: what is damaged, cut off or against the rules is refused, and for which
# reason; what is only odd becomes the right picture.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram;
use Imagegram::Image;
use Imagegram::Verdict;
use Test::More;


my $t = Imagegram->new;

my @red = (255, 0, 0);
my @white = (255, 255, 255);


# --- a header of 40 bytes, unless told otherwise

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

shows($t, 'a BMP', bmp(1, 1, 24, $pixel), [], 300, 300, \@red);
shows($t, 'the smallest', os2(1, 1, 1, $pixel), [], 300, 300, \@red);
shows($t, 'masks behind the header', bmp(1, 1, 16, $masks . pack('v', 0xf800),
    compression => BITFIELDS, offset => 66), [], 300, 300, \@red);

# masks inside of the header, of 52 and 56 bytes, with ten bits, with alpha

sub masked {
    my ($size, $pixel, @masks) = @_;

    return pack('a2VVV', 'BM', 0, 0, 14 + $size)
        . pack('V3vvV6', $size, 1, 1, 1, 32, BITFIELDS, (0) x 5)
        . pack('V*', @masks, (0) x (($size - 40) / 4 - @masks))
        . pack('V', $pixel);
}

my @ten_bits = (0x3ff00000, 0x000ffc00, 0x000003ff);
my @alpha = (0x00ff0000, 0x0000ff00, 0x000000ff, 0xff000000);

for my $case (
    ['ten bits',          \@red, masked(52, 0x3ff00000, @ten_bits)],
    ['ten bits, half',    [128, 0, 0], masked(52, 0x20000000, @ten_bits)],
    ['nothing of alpha',  \@white, masked(56, 0x00ff0000, @alpha)],
    ['half of alpha',     [255, 127, 127], masked(56, 0x80ff0000, @alpha)],
    ['all of alpha',      \@red, masked(56, 0xffff0000, @alpha)],
    ['alpha without a mask', \@red,
        masked(52, 0x00ff0000, @alpha[0 .. 2])],
    ['one color alone',   \@red, masked(52, 0xff0000, 0xff0000)],
) {
    my ($what, $colour, $bmp) = @$case;

    shows($t, "masks: $what", $bmp, [], 300, 300, $colour);
}

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

    damaged($t, "$what", $bmp);
}

refused($t, 'declares too many pixels', 'smallest', os2(20, 10, 1, ''),
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

    damaged($t, "RLE8: $what", rle($data));
}

damaged($t, 'RLE4: a run beyond the palette', rle("\4\x01\0\1", RLE4));
damaged($t, 'RLE4: pixels beyond the palette', rle("\0\4\0\x10\0\1", RLE4));

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

    shows($t, "$what", @case);
}

done_testing();
