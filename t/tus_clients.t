#!/usr/bin/perl

# tus-js-client and tuspy upload through connections that are cut, also after
# the last byte; each of them goes on where the server stopped and ends with
# one post of the right bytes.  IMAGEGRAM_SEED repeats the cuts.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA ();

use Imagegram;
use Imagegram::Clients qw(begin missing);
use Imagegram::Cutter;
use Imagegram::Image;
use Test::More;

use constant SIZE => 20 * 1024 * 1024;


my $missing = missing(qw(node tuspy));

plan skip_all => $missing if $missing;

my $seed = $ENV{IMAGEGRAM_SEED} // time % 1_000_000;

diag("IMAGEGRAM_SEED=$seed");

my $t = Imagegram->new(workers => 2)->start;
my %image = map { $_ => $t->dir . "/image.$_" } qw(bmp png);

Imagegram::Image::big_bmp($image{bmp}, SIZE);
Imagegram::Image::big_png($image{png}, SIZE);

sub digest {
    my ($path) = @_;
    return Digest::SHA->new(256)->addfile($path, 'b')->hexdigest;
}

my %digest = map { $_ => digest($image{$_}) } keys %image;
my %text = (author => 'Ünsal',
    body => "Überfahrt — 日の出\nund zurück");

# "checked": chunks that have a checksum count only as a whole
my @uploads = (
    { name => 'tus-js-client, one chunk', script => 'upload.cjs',
        image => 'bmp', inside => 8, end => 'sent reset' },
    { name => 'tus-js-client, 3 MB chunks', script => 'upload.cjs',
        image => 'png', inside => 5, end => 'answered hang',
        options => { chunkSize => 3_000_000,
            uploadDataDuringCreation => JSON::PP::true } },
    { name => 'tuspy, one chunk', script => 'upload.py',
        image => 'png', inside => 8, end => 'sent hang' },
    { name => 'tuspy, 4 MB chunks with checksums', script => 'upload.py',
        image => 'bmp', inside => 5, end => 'answered close', checked => 1,
        options => { chunk_size => 4_000_000,
            upload_checksum => JSON::PP::true } },
);

for my $n (0 .. $#uploads) {
    my $u = $uploads[$n];

    $u->{cutter} = Imagegram::Cutter->new(port => $t->port, size => SIZE,
        seed => $seed + $n, inside => $u->{inside}, heads => 2,
        end => $u->{end}, log => $t->dir . "/cuts-$n");

    $u->{client} = begin($t, $u->{script}, {
        endpoint => "http://127.0.0.1:@{[ $u->{cutter}->port ]}/uploads",
        file     => $image{ $u->{image} },
        metadata => \%text,
        %{ $u->{options} // {} },
    });
}


# Whether the server said after a cut what it has to

sub is_right_offset {
    my ($cut, $checked) = @_;

    my ($at, $came) = ($cut->{next}, $cut->{offset} + $cut->{passed});

    return 0 unless defined $at;

    # all has come
    return $at == $came if $cut->{passed} == $cut->{length};

    return $at == $cut->{offset} if $checked;

    # after a clean end all that was sent counts; otherwise what was still on
    # its way is lost to who takes over
    return $at == $came if $cut->{how} eq 'close';
    return $at >= $cut->{offset} && $at <= $came;
}

for my $u (@uploads) {
    my $said = eval { $u->{client}->() };

    ok($said, "$u->{name}: uploads") or diag($@, $t->log(20));

    my @cuts = grep { $_->{method} eq 'PATCH' } $u->{cutter}->stop;
    my @wrong = grep { !is_right_offset($_, $u->{checked}) } @cuts;

    is(scalar @cuts, $u->{inside} + 1, 'cut as often as was asked for');
    is("$cuts[-1]{when} $cuts[-1]{how}", $u->{end}, 'at last at the end');
    is(scalar @wrong, 0, 'it went on where it was') or diag(explain(\@cuts));

    next unless $said;

    my ($id) = $said->{upload} =~ m{/uploads/([0-9a-f-]{36})\z};

    is($said->{post}, "/posts/$id", 'Content-Location');

    my $post = $t->get("posts/$id")->{json};

    is($post->{Author}, $text{author}, 'the author');
    is($post->{Body}, $text{body}, 'the body');
    is($t->get($post->{Image})->{status}, 200, 'the image');

    my ($original) = grep { /$id/ } $t->files('originals');

    is(digest($t->storage . "/$original"), $digest{ $u->{image} },
        'the original');

    $u->{record} = "uploads/$id.info";
}

is(scalar @{ $t->get('posts')->{json}{posts} }, @uploads,
    'one post of each upload');
is_deeply([$t->files('uploads', 'tmp')],
    [sort map { $_->{record} // () } @uploads],
    'only the records remain');

done_testing();
