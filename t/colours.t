#!/usr/bin/perl

# Everything becomes sRGB: images with profiles for RGB, grey and CMYK, right
# ones and wrong ones.  What is expected was computed by Little CMS.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram;
use Imagegram::Image;
use Imagegram::Profile
    qw(@d50 bmp fixed gamma iccp profile rgb_profile swapped);
use Test::More;


my $t = Imagegram->new;


# One colour, which is told to within 4 of 255.

sub becomes {
    my ($what, $source, @colour) = @_;

    # AddressSanitizer needs memory of its own
    my ($status, $said, $jpeg) = $t->convert($source,
        $t->sanitized ? () : '--memory=64m');

    is("$status $said", '0 ', "$what: converted") or return;

    my @found = Imagegram::Image::pixel_at(Imagegram::Image::decode($jpeg),
        300, 300);

    ok(!(grep { abs($found[$_] - $colour[$_]) > 4 } 0 .. 2), "$what: @colour")
        or diag("@found");
}


# --- profiles

my @swapped = swapped();
my $profile = rgb_profile(@swapped);

# that of sRGB: a power with a straight start

my $srgb_curve = "para\0\0\0\0" . pack('nn', 3, 0)
    . fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045);

my $p3 = rgb_profile($srgb_curve, [[0.51512, 0.24120, -0.00105],
    [0.29198, 0.69225, 0.04189], [0.15710, 0.06657, 0.78407]]);
my $adobe = rgb_profile(gamma(2.19921875), [[0.60974, 0.31111, 0.01947],
    [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]]);
my $linear = profile('GRAY', 'mntr', @d50, kTRC => gamma(1));

# a table of 255 x 255 x 255 colours, most of which is not there

my $table = profile('RGB ', 'mntr', @d50, A2B0 => "mft1\0\0\0\0"
    . pack('C4', 3, 3, 255, 0) . fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    . pack('C*', 0 .. 255) x 4);

# whatever the colour, but for black, it is a medium grey (L* = 50)

sub grey_table {
    my ($class) = @_;

    return profile('RGB ', $class, @d50, A2B0 => "mft1\0\0\0\0"
        . pack('C4', 3, 3, 2, 0) . fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
        . pack('C*', 0 .. 255) x 3 . pack('C3', 0, 128, 128)
        . pack('C3', 128, 128, 128) x 7
        . pack('C*', 0 .. 255) x 3) =~ s/\A.{20}\KXYZ /Lab /sr;
}

# whatever the ink, it is a medium grey (L* = 50), but all of it is black

my $ink = profile('CMYK', 'prtr', @d50, A2B0 => "mft1\0\0\0\0"
    . pack('C4', 4, 3, 2, 0) . fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    . pack('C*', 0 .. 255) x 4 . pack('C3', 128, 128, 128) x 15
    . pack('C3', 0, 128, 128) . pack('C*', 0 .. 255) x 3);


# --- where profiles are found

my @red = (255, 0, 0);
my @blue = (0, 0, 255);
my $is_red = sub { @red };

becomes('in a PNG', Imagegram::Image::png(8, 8, pixel => $is_red,
    chunks => [iccp($profile)]), @blue);

my $red_jpeg = Imagegram::Image::jpeg(64, 64, pixel => $is_red);

for my $case (
    ['in a JPEG',             \@blue, "\1\1$profile"],
    ['in two parts',          \@blue, "\2\2" . substr($profile, 99),
        "\1\2" . substr $profile, 0, 99],
    ['a part is missing',     \@red,  "\1\2$profile"],
    ['a part too much',       \@blue, "\1\1$profile", "\1\1$profile"],
    ['parts that contradict', \@blue, "\1\1$profile", "\2\2$profile"],
    ['number zero',           \@red,  "\0\1$profile"],
    ['one that is none',      \@red,  "\1\1junk"],
) {
    my ($what, $colour, @parts) = @$case;

    becomes($what, Imagegram::Image::with_segments($red_jpeg,
        map { [0xe2, "ICC_PROFILE\0$_"] } @parts), @$colour);
}

my ($embedded, $linked) = (0x4d424544, 0x4c494e4b);
my ($at, $length) = (124 + 3 * 64, length $profile);

for my $case (
    ['in a BMP',             \@blue, $embedded, $at, $length],
    ['in another file',      \@red, $linked, $at, $length],
    ['in a BMP, elsewhere',  \@red, $embedded, $at - 1, $length],
    ['in a BMP, cut off',    \@red, $embedded, $at + 1, $length],
    ['in a BMP, nowhere',    \@red, $embedded, 0xffffffff, $length],
    ['in a BMP, of nothing', \@red, $embedded, $at, 0],
    ['in a BMP, as large as it gets', \@red, $embedded, $at, 0xffffffff],
) {
    my ($what, $colour, @place) = @$case;

    becomes($what, bmp($profile, @place), @$colour);
}


# --- what profiles say

sub plain_png {
    my ($profile, $type, $depth, @colour) = @_;

    return Imagegram::Image::png(8, 8, type => $type, depth => $depth,
        pixel => sub { @colour }, chunks => $profile ? [iccp($profile)] : []);
}

for my $depth (8, 16) {
    becomes("Display P3, $depth bit", plain_png($p3, 2, $depth, 200, 50, 60),
        218, 24, 53);
    becomes("Adobe RGB, $depth bit",
        plain_png($adobe, 2, $depth, 200, 50, 60), 232, 46, 58);
    becomes("linear grey, $depth bit",
        plain_png($linear, 0, $depth, 60, 60, 60), 133, 133, 133);
    becomes("grey with a profile for RGB, $depth bit",
        plain_png($adobe, 0, $depth, 60, 60, 60), 60, 60, 60);
    becomes("RGB with a profile for grey, $depth bit",
        plain_png($linear, 2, $depth, 200, 50, 60), 200, 50, 60);
}

# of a scanner, one is used; what is not about a device's colours is not, nor is
# what says nothing, or more than it may

becomes('of a scanner', plain_png(rgb_profile(@swapped, class => 'scnr'), 2, 8,
    @red), @blue);

becomes('a table', plain_png(grey_table('mntr'), 2, 8, @red), 119, 119, 119);

becomes("of class $_", plain_png(grey_table($_), 2, 8, @red), @red)
    for 'link', 'abst', 'nmcl', 'junk';

for my $case (
    ['one that says nothing',         profile('RGB ', 'mntr', @d50)],
    ['a table that is too large',     $table],
    ['one that calls itself sRGB',    rgb_profile(@swapped,
        name => 'sRGB IEC61966-2.1')],
) {
    my ($what, $useless) = @$case;

    becomes("$what, RGB", plain_png($useless, 2, 8, 200, 50, 60), 200, 50, 60);
    becomes("$what, grey", plain_png($useless, 0, 8, 60, 60, 60), 60, 60, 60);
}

# 255 is full ink, and no ink where Adobe says so

my @cmyk = (200, 0, 100, 60);
my $adobe_cmyk = [0xee, "Adobe\0\x64\0\0\0\0\0"];

for my $case (
    ['CMYK',           [],            42, 195, 119],
    ['CMYK, by Adobe', [$adobe_cmyk], 47, 0, 24],
    ['CMYK with a profile', [[0xe2, "ICC_PROFILE\0\1\1$ink"]],
        119, 119, 119],
    ['CMYK, by Adobe, with one for RGB',
        [$adobe_cmyk, [0xe2, "ICC_PROFILE\0\1\1$profile"]], 47, 0, 24],
) {
    my ($what, $segments, @wanted) = @$case;

    becomes($what, Imagegram::Image::with_segments(
        Imagegram::Image::plain_jpeg(@cmyk), @$segments), @wanted);
}

becomes('one component', Imagegram::Image::plain_jpeg(77), 77, 77, 77);

is(($t->convert(Imagegram::Image::plain_jpeg(1, 2)))[0], 2,
    'two components: refused');

done_testing();
