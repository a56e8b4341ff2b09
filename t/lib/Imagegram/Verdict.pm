package Imagegram::Verdict;

# What several test files say of images that imagegram-convert is given by
# hand.

use strict;
use warnings;

use Exporter 'import';
use Test::More ();

use Imagegram::Image;

our @EXPORT = qw(refused damaged shows);


# An image is refused, for this reason.

sub refused {
    my ($t, $reason, $what, $image, @options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said) = $t->convert($image, @options);

    Test::More::is($status, 2, "$what: exit status 2");
    Test::More::like($said, qr/\Aimagegram-convert: [^\n]*: $reason\n\z/,
        "$what: $reason");
}

sub damaged {
    my ($t, @image) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    refused($t, 'cannot be decoded', @image);
}


# An image becomes a picture with these colours: left, top, colour.

sub shows {
    my ($t, $what, $image, $options, @points) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $said, $jpeg) = $t->convert($image, @$options);

    Test::More::is("$status $said", '0 ', "$what: converted") or return;

    my $picture = Imagegram::Image::decode($jpeg);

    while (my ($x, $y, $colour) = splice @points, 0, 3) {
        Test::More::ok(Imagegram::Image::is_near($picture, $x, $y, @$colour),
            "$what: at $x, $y") or Test::More::diag(join ' ',
            Imagegram::Image::pixel_at($picture, $x, $y), 'is not', @$colour);
    }
}


1;
