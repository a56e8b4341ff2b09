#!/usr/bin/perl

# JPEG: what is damaged, cut off or against the rules is refused, and for which
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
my @grey = (128, 128, 128);


sub segment { return Imagegram::Image::segment(@_) }

my $jpeg = Imagegram::Image::plain_jpeg(@red);
my $exif = segment(@{ Imagegram::Image::exif(3) });
my $adobe = segment(0xee, "Adobe\0\x64\0\0\0\0\0");

# behind SOI; before EOI

sub ahead  { return substr($jpeg, 0, 2) . $_[0] . substr $jpeg, 2 }
sub behind { return substr($jpeg, 0, -2) . $_[0] . "\xff\xd9" }

# three components are RGB only where Adobe says so

shows($t, 'a JPEG', ahead($adobe), [], 300, 300, \@red);

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

    isnt($damaged, $jpeg, "$what: is another one");
    damaged($t, "$what", $damaged);
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

    shows($t, "$what", $odd, [], 300, 300, $colour);
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

    isnt($odd, ahead($long), "$what, late: is another one");
    damaged($t, "$what, late", $odd);
}

damaged($t, 'two components, late', substr($_, 0, 2) . $long . substr $_, 2)
    for Imagegram::Image::plain_jpeg(1, 2);

refused($t, 'declares too many pixels', 'late', ahead($long),
    '--max-pixels=255');

for my $before (-10, -3, -1, 0, 1) {
    my $corner = Imagegram::Image::jpeg(64, 64);
    my $fill = 65_536 - 2 - length(segment(0xe2, '')) + $before;

    shows($t, "EXIF from byte 65536 $before on", substr($corner, 0, 2)
        . segment(0xe2, 'x' x $fill) . $exif . substr($corner, 2), [],
        100, 100, [250, 250, 250], 500, 500, [230, 20, 20]);
}

# tall and progressive, of which the middle is seen

my @same = map { $t->convert(Imagegram::Image::jpeg(64, 640,
    options => [$_, '-quality', 95],
    pixel => sub { 4 * $_[0], $_[1] * 255 / 640, 100 }))
} '-baseline', '-progressive';

is("@same[0, 3]", '0 0', 'tall, baseline and progressive');
cmp_ok(Imagegram::Image::psnr(map { Imagegram::Image::decode($_) }
    @same[2, 5]), '>', 35, 'the same picture');


# Progressive and grey: a scan for the mean of each block, and scans for one
# frequency each.

sub scans {
    my ($width, $height, $scans) = @_;

    return Imagegram::Image::progressive_jpeg($width, $height, 1,
        map { [1, $_, 0, 0] } 0 .. $scans - 1);
}

my $bound = 'declares more than can be decoded in bounded time and memory';

shows($t, '32 scans', scans(16, 16, 32), [], 300, 300, \@grey);
refused($t, $bound, '33 scans', scans(16, 16, 33));

# in colour, and bit by bit

my @scans = Imagegram::Image::all_scans(3);
my ($most, $all) = map { Imagegram::Image::progressive_jpeg(16, 16, 3, @$_) }
    [@scans[0 .. 31]], \@scans;

shows($t, '32 of all scans', $most, [], 300, 300, \@grey);
like(Imagegram::Image::filter($all, 'djpeg', '-strict'),
    qr/\AP6\n16 16\n255\n\x80+\z/, 'all scans are a valid JPEG');
refused($t, $bound, 'all scans', $all);

shows($t, '3 million blocks', scans(14_400, 14_400, 2), ['--timeout=300s'],
    300, 300, \@grey);
refused($t, $bound, 'all scans of 100 million blocks',
    scans(14_400, 14_400, 32), '--timeout=300s');
refused($t, $bound, 'coefficients of 200 MB', scans(10_240, 10_240, 2),
    '--size=10240x10240');

done_testing();
