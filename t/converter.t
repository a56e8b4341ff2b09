#!/usr/bin/perl

# What becomes of an image: upright, on white, cut or fitted to size; by hand
# and by directives.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram;
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new(server => '
    location /contain/ { imagegram; imagegram_image_fit contain; }
    location /stretch/ { imagegram; imagegram_image_fit stretch; }
    location /size/    { imagegram; imagegram_image_size 320x200; }
    location /poor/    { imagegram; imagegram_image_quality 20; }');

my ($red, $green, $blue, $white)
    = ([255, 0, 0], [0, 160, 0], [0, 0, 255], [255, 255, 255]);

my $png = Imagegram::Image::png(20, 10);


# A converted image has these colours, as left, top, colour.

sub shows {
    my ($what, $jpeg, @points) = @_;

    my $image = eval { Imagegram::Image::decode($jpeg) };

    ok($image, "$what: a JPEG") or return;

    while (my ($x, $y, $colour) = splice @points, 0, 3) {
        ok(Imagegram::Image::is_near($image, $x, $y, @$colour),
            "$what: at $x, $y") or diag(join ' ',
            Imagegram::Image::pixel_at($image, $x, $y), 'is not', @$colour);
    }
}


# Progressive, sampling, and what segments there are besides JFIF's.

sub kind {
    my $info = Imagegram::Image::jpeg_info($_[0]) // return 'no JPEG';

    return join ', ', $info->{progressive} ? 'progressive' : 'baseline',
        $info->{sampling}, grep { $_ ne 'APP0' } keys %{ $info->{segments} };
}


sub converts {
    my ($what, $source, $options, @points) = @_;

    my ($status, $said, $jpeg) = $t->convert($source, @$options);

    is("$status $said", '0 ', "$what: converted");
    is(kind($jpeg), 'progressive, 2x2', "$what: progressive, 4:2:0, bare");
    shows($what, $jpeg, @points);

    return $jpeg;
}


# --- by default

my ($status, $said, $jpeg) = $t->convert($png);

is("$status $said", '0 ', 'converted, and nothing said');

my $info = Imagegram::Image::jpeg_info($jpeg);

is("$info->{width}x$info->{height}", '600x600', 'a JPEG of 600x600');
is(kind($jpeg), 'progressive, 2x2', 'progressive, 4:2:0, without metadata');


# --- upright

my @corners = (100, 100, [230, 20, 20], 500, 100, [20, 200, 20],
    100, 500, [20, 20, 230], 500, 500, [250, 250, 250]);

# what a camera stores, so that after turning it is corner(60, 40)

my @stored = (
    undef,
    sub { ($_[0],      $_[1]) },
    sub { (59 - $_[0], $_[1]) },
    sub { (59 - $_[0], 39 - $_[1]) },
    sub { ($_[0],      39 - $_[1]) },
    sub { ($_[1],      $_[0]) },
    sub { (59 - $_[1], $_[0]) },
    sub { (59 - $_[1], 39 - $_[0]) },
    sub { ($_[1],      39 - $_[0]) },
);

my $upright = Imagegram::Image::corner(60, 40);

for my $orientation (1 .. 8) {
    my @size = $orientation < 5 ? (60, 40) : (40, 60);
    my $exif = Imagegram::Image::exif($orientation);
    my %options = (
        pixel  => sub { $upright->($stored[$orientation]->(@_)) },
        chunks => [[eXIf => substr $exif->[1], 6]],
    );

    converts("orientation $orientation, JPEG", Imagegram::Image::with_segments(
        Imagegram::Image::jpeg(@size, %options), $exif),
        ['--fit=stretch'], @corners);
    converts("orientation $orientation, PNG",
        Imagegram::Image::png(@size, %options), ['--fit=stretch'], @corners);
}

for my $segment (Imagegram::Image::exif(0), Imagegram::Image::exif(9),
    [0xe1, "Exif\0\0"], [0xe1, "Exif\0\0MM\0*\xff\xff\xff\xff"],
    [0xe1, "Exif\0\0II*\0\x08\0\0\0\xff\xff"], [0xe1, 'http://ns.adobe.com/'])
{
    converts('no orientation: ' . unpack('H*', $segment->[1]),
        Imagegram::Image::with_segments(Imagegram::Image::jpeg(60, 40),
        $segment), ['--fit=stretch'], @corners);
}

converts('two of them, of which the first counts',
    Imagegram::Image::with_segments(Imagegram::Image::jpeg(60, 40,
    pixel => sub { $upright->($stored[3]->(@_)) }), Imagegram::Image::exif(3),
    Imagegram::Image::exif(1)), ['--fit=stretch'], @corners);

my $little = "Exif\0\0II*\0" . pack('VvvvVvvV', 8, 1, 0x112, 3, 1, 3, 0, 0);

converts('orientation 3, little-endian', Imagegram::Image::with_segments(
    Imagegram::Image::jpeg(60, 40, pixel => sub {
        $upright->($stored[3]->(@_)) }), [0xe1, $little]),
    ['--fit=stretch'], @corners);


# --- every kind of pixel

for my $case ([0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [4, 8], [4, 16]) {
    my ($type, $depth) = @$case;

    converts("PNG of type $type, $depth bit", Imagegram::Image::png(16, 16,
        type => $type, depth => $depth,
        pixel => sub { ($_[0] < 8 ? 255 : 0) x 3 }), [],
        100, 300, $white, 500, 300, [0, 0, 0]);
}

for my $case ([2, 8], [2, 16], [3, 2], [3, 4], [3, 8], [6, 8], [6, 16]) {
    my ($type, $depth) = @$case;

    converts("PNG of type $type, $depth bit", Imagegram::Image::png(16, 16,
        type => $type, depth => $depth), [], @corners);
}

for my $depth (1, 4, 8) {
    converts("BMP, $depth bit", Imagegram::Image::bmp(15, 15, depth => $depth,
        pixel => sub { ($_[0] < 8 ? 255 : 0) x 3 }), [],
        100, 300, $white, 500, 300, [0, 0, 0]);
}

for my $depth (16, 24, 32) {
    converts("BMP, $depth bit, " . ($_ ? 'top down' : 'bottom up'),
        Imagegram::Image::bmp(15, 15, depth => $depth, top_down => $_), [],
        @corners) for 0, 1;
}

for my $options (['-baseline'], ['-progressive'], ['-sample', '1x1'],
    ['-sample', '2x1'], ['-restart', '1'], ['-optimize'])
{
    converts("JPEG, @$options", Imagegram::Image::jpeg(64, 64,
        options => $options), [], @corners);
}

converts('JPEG, greys', Imagegram::Image::jpeg(64, 64,
    options => ['-grayscale'], pixel => sub { ($_[0] < 32 ? 255 : 0) x 3 }),
    [], 100, 300, $white, 500, 300, [0, 0, 0]);


# --- transparency lies on white

my $half = sub { $_[0] < 8 ? (0, 0, 0, 0) : (255, 0, 0, 128) };

for my $case ([6, 8], [6, 16], [3, 8], [3, 2]) {
    my ($type, $depth) = @$case;

    converts("PNG of type $type, $depth bit, transparent",
        Imagegram::Image::png(16, 16, type => $type, depth => $depth,
        pixel => $half), [], 100, 300, $white, 500, 300, [255, 127, 127]);
}

converts('grey and alpha', Imagegram::Image::png(16, 16, type => 4,
    pixel => sub { (0, 0, 0, $_[0] < 8 ? 0 : 255) }), [],
    100, 300, $white, 500, 300, [0, 0, 0]);

converts('a transparent colour', Imagegram::Image::png(16, 16,
    pixel => sub { $_[0] < 8 ? (10, 20, 30) : (255, 0, 0) },
    chunks => [[tRNS => pack 'n3', 10, 20, 30]]), [],
    100, 300, $white, 500, 300, $red);


# --- interlaced: the same picture

for my $case ([3, 2, 2, 8], [33, 7, 2, 8], [700, 500, 2, 8], [700, 500, 6, 16],
    [700, 500, 3, 2], [700, 500, 0, 1])
{
    my ($width, $height, @kind) = @$case;

    my ($plain, $interlaced) = map {
        converts("$width x $height of type @kind, interlaced: $_",
            Imagegram::Image::png($width, $height, type => $kind[0],
            depth => $kind[1], interlaced => $_), ['--size=90x90'])
    } 0, 1;

    ok($plain eq $interlaced, 'it is the same picture');
}


# --- to size

my $stripes = Imagegram::Image::png(30, 10, pixel => sub {
    @{ ($red, $green, $blue)[ $_[0] / 10 ] }
});

my @cover = map { $_, 300, $green } 20, 300, 580;
my @contain = (300, 90, $white, 300, 510, $white,
    100, 300, $red, 300, 300, $green, 500, 300, $blue);
my @stretch = map { (100, $_, $red, 300, $_, $green, 500, $_, $blue) }
    (20, 580);

converts('cover is the default', $stripes, [], @cover);
converts('cover', $stripes, ['--fit', 'cover'], @cover);
converts('contain', $stripes, ['--fit', 'contain'], @contain);
converts('stretch', $stripes, ['--fit', 'stretch'], @stretch);

sub size {
    my $info = Imagegram::Image::jpeg_info($_[0]);
    return "$info->{width}x$info->{height}";
}

for my $size ('320x200', '1x1', '17x1301', '2000x10') {
    is(size(converts("size $size", $stripes, ["--size=$size"])), $size, $size);
}

my ($poor, $rich) = map { length converts("quality $_",
    Imagegram::Image::jpeg(200, 200), ["--quality=$_"]) } 20, 95;

cmp_ok($poor * 1.5, '<', $rich, 'quality makes a difference');


# --- a large result from a large image

sub white {
    my ($width, $height) = @_;

    my $bmp = Imagegram::Image::bmp_header($width, $height, 8, 1078, 2)
        . "\0" x 1024 . "\0\1";

    substr $bmp, 30, 4, pack 'V', 1;

    return $bmp;
}

is(size(converts('36 million pixels to 4 million', white(5999, 5999),
    ['--size=2000x2000', '--timeout=300s'], 1000, 1000, $white)),
    '2000x2000', 'in full size');


# --- extreme shapes

for my $size ([1, 1], [1, 20_000], [65_000, 1], [1, 2], [599, 601],
    [2, 65_500])
{
    for my $format (qw(png jpeg bmp)) {
        my $image = Imagegram::Image->can($format)->(@$size,
            pixel => sub { @$red });

        converts("@$size, $format", $image, [], 300, 300, $red);
        converts("@$size, $format, stretched", $image, ['--fit=stretch'],
            1, 1, $red, 598, 598, $red);
        converts("@$size, $format, contained", $image, ['--fit=contain'])
            if $format eq 'bmp';
    }
}


# --- the directives say the same

$t->start;

for my $case (
    ['/',         '600x600', @cover],
    ['/contain/', '600x600', @contain],
    ['/stretch/', '600x600', @stretch],
    ['/size/',    '320x200', 160, 100, $green],
    ['/poor/',    '600x600', @cover],
) {
    my ($location, $size, @points) = @$case;

    my $r = $t->form("${location}posts", [author => 'ann', body => 'x',
        image => $stripes]);

    is($r->{status}, 201, "$location: posted");

    my $jpeg = $t->get($r->{json}{Image})->{body};

    is(size($jpeg), $size, "$location: $size");
    shows($location, $jpeg, @points) if $location ne '/poor/';
    $rich = length $jpeg if $location eq '/';
    $poor = length $jpeg if $location eq '/poor/';
}

cmp_ok($poor * 1.2, '<', $rich, 'quality makes a difference there, too');

done_testing();
