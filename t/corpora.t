#!/usr/bin/perl

# Images that others made, with known verdicts: PngSuite, bmpsuite and photos
# of all EXIF orientations; from ../shared/corpora, or IMAGEGRAM_CORPORA.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp);
use Imagegram::Image;
use Test::More;


my $corpora = $ENV{IMAGEGRAM_CORPORA} // "$FindBin::Bin/../../shared/corpora";

plan skip_all => "no corpora in $corpora, see IMAGEGRAM_CORPORA"
    unless -d "$corpora/pngsuite";

my $t = Imagegram->new;


# Gives the JPEG where it must be accepted.

sub verdict {
    my ($path, $wanted) = @_;

    my ($name) = $path =~ m{([^/]+/[^/]+)\z};
    my ($status, $said, $jpeg) = $t->convert({ file => $path });

    like($status, $wanted, "$name: $status")
        or diag($said);
    like($said, $status ? qr/\A[^\n]+\n\z/ : qr/\A\z/,
        "$name: one line or none");

    return $status ? undef : $jpeg;
}

my ($yes, $no, $either) = (qr/^0$/, qr/^2$/, qr/^[02]$/);


# --- PngSuite

my @files = glob "$corpora/pngsuite/*.png";

cmp_ok(scalar @files, '>', 150, 'PngSuite is there');
verdict($_, m{/x[^/]*$} ? $no : $yes) for @files;


# --- bmpsuite

my %refused = map { $_ => 1 } qw(badbitcount badfilesize badpalettesize
    badplanes badwidth pal8badindex reallybig shortfile);

verdict($_, $yes) for glob "$corpora/bmpsuite/good/*.bmp";
verdict($_, $either) for glob "$corpora/bmpsuite/questionable/*.bmp";
verdict($_, m{/(\w+)\.bmp$} && $refused{$1} ? $no : $either)
    for glob "$corpora/bmpsuite/bad/*.bmp";

# where there is a PNG beside, it tells what is to be seen

for my $png (glob "$corpora/bmpsuite/good/*.png") {
    my $bmp = $png =~ s/png$/bmp/r;
    next unless -e $bmp;

    my ($seen, $wanted) = map { Imagegram::Image::decode($_) }
        map { ($t->convert({ file => $_ }, '--size=100x100'))[2] } $bmp, $png;

    cmp_ok(Imagegram::Image::psnr($seen, $wanted), '>', 28,
        "$bmp looks like its PNG");
}


# --- orientations: the first of each kind is stored upright

for my $kind (qw(Landscape Portrait)) {
    my $upright;

    for my $variant (1 .. 8, 0) {
        my $name = "exif-orientation/${kind}_$variant.jpg";
        my $jpeg = verdict("$corpora/$name", $yes) // next;
        my $image = Imagegram::Image::decode($jpeg);

        $upright //= $image;
        is("$image->{width}x$image->{height}", '600x600', "$name: 600x600");
        cmp_ok(Imagegram::Image::psnr($image, $upright), '>=', 28,
            "$name: upright");
    }
}


# --- some of them as posts

$t->start;

for my $case (
    ['pngsuite/basn6a16.png',                201],
    ['pngsuite/tbbn3p08.png',                201],
    ['pngsuite/xcrn0g04.png',                415],
    ['pngsuite/xcsn0g01.png',                422],
    ['bmpsuite/good/pal8rle.bmp',            201],
    ['bmpsuite/bad/badbitcount.bmp',         422],
    ['bmpsuite/bad/reallybig.bmp',           422],
    ['exif-orientation/Portrait_6.jpg',      201],
) {
    my ($name, $status) = @$case;

    my $r = $t->form('posts', [author => 'ann', body => $name,
        image => { file => "$corpora/$name" }]);

    is($r->{status}, $status, "$name as a post") or diag($r->{body});
    next if $status != 201;

    my ($original) = grep { /$r->{json}{PostID}/ } $t->files('originals');

    ok(slurp($t->storage . "/$original") eq slurp("$corpora/$name"),
        'the original is kept');
    ok($t->get($r->{json}{Image})->{body}
        eq ($t->convert({ file => "$corpora/$name" }))[2],
        'the JPEG is what imagegram-convert makes by hand');
}

is_deeply([$t->files('tmp')], [], 'nothing remains in tmp/');

done_testing();
