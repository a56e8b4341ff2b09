#!/usr/bin/perl

# POST posts: both bodies in each format, what is kept and served of them, and
# DELETE posts/ID.  What is refused is in refusals.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find ();
use MIME::Base64 qw(encode_base64);

use Imagegram qw(slurp);
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new->start;

my %images = (
    png => Imagegram::Image::png(64, 48),
    jpg => Imagegram::Image::with_segments(Imagegram::Image::jpeg(64, 48),
        Imagegram::Image::exif(6), [0xfe, 'a comment']),
    bmp => Imagegram::Image::bmp(64, 48),
);

my %create = (
    multipart => sub {
        $t->form('posts', [author => 'ann', body => 'x', image => $_[0]]);
    },
    JSON => sub {
        $t->json('posts', { author => 'ann', body => 'x',
            image_contents => encode_base64($_[0], '') });
    },
);

for my $kind (sort keys %create) {
    for my $format (sort keys %images) {
        subtest "$format in $kind" => sub {
            created($create{$kind}->($images{$format}), $format);
        };
    }
}

sub created {
    my ($r, $format) = @_;

    is($r->{status}, 201, 'created') or diag($r->{body});

    my $post = $r->{json};
    my $id = $post->{PostID};

    like($id, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'PostID');
    is($r->{headers}{location}, "/posts/$id", 'Location');
    is($post->{Version}, 0, 'Version');
    is($post->{Status}, 'ok', 'Status');
    is($post->{CommentCount}, 0, 'CommentCount');
    is_deeply($post->{LastComments}, [], 'LastComments');
    is_deeply($t->get("posts/$id")->{json}, $post, 'GET gives the same');

    my $place = join '/', $id =~ /^(..)(..)/, $id;

    is($post->{Image}, "/images/$place.jpg", 'Image');
    is_deeply([grep { /$id/ } $t->files],
        ["images/$place.jpg", "originals/$place.$format"], 'two files');
    ok(slurp($t->storage . "/originals/$place.$format") eq $images{$format},
        'the original is kept byte for byte');

    my $info = Imagegram::Image::jpeg_info(
        slurp($t->storage . "/images/$place.jpg"));

    is("$info->{width}x$info->{height}", '600x600', 'the JPEG is 600x600');
    ok($info->{progressive}, 'progressive');
    is("$info->{components} of $info->{precision}", '3 of 8', 'in colour');
    is_deeply([grep { $_ ne 'APP0' } keys %{ $info->{segments} }], [],
        'without metadata');
}


# what the images location serves

my $post = $t->post(image => $images{png});
my $url = $post->{Image};
my $file = $t->storage . $url;
my $r = $t->get($url);

is($r->{status}, 200, 'the image is served');
is($r->{headers}{'content-type'}, 'image/jpeg', 'as image/jpeg');
is($r->{headers}{'cache-control'}, 'public, max-age=31536000, immutable',
    'for ever');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is($r->{headers}{'accept-ranges'}, 'bytes', 'ranges are accepted');
ok($r->{body} eq slurp($file), 'the bytes are those of the file');

my $etag = $r->{headers}{etag};

$r = $t->get($url, headers => ['If-None-Match' => $etag]);
is($r->{status}, 304, 'not modified');

$r = $t->get($url, headers => [Range => 'bytes=2-11']);
is($r->{status}, 206, 'a range');
ok($r->{body} eq substr(slurp($file), 2, 10), 'is right');

$r = $t->head($url);
is($r->{status}, 200, 'HEAD');
is($r->{headers}{'content-length'}, -s $file, 'tells the length');


# nothing else is reachable

my ($original) = grep { /^originals.*$post->{PostID}/ } $t->files;
my $unfinished = $t->storage . '/tmp/unfinished.jpeg';

Imagegram::spew($unfinished, 'x');

for my $path (
    "/$original", "/images/../$original", "/images/%2e%2e/$original",
    "/images/..%2f$original", "/images../$original", "/images//../$original",
    "/images/$original", $url =~ s/jpg$/png/r, '/tmp/unfinished.jpeg',
    '/images/../tmp/unfinished.jpeg', '/images/', $url =~ s{[^/]*$}{}r,
    "posts/$original", "posts/../$original",
) {
    like($t->get($path)->{status}, qr/^40[034]$/, "not reachable: $path");
}

unlink $unfinished;


# for the workers' user and group only

{
    my %modes;

    File::Find::find(sub {
        my $mode = 07777 & (lstat)[2];

        push @{ $modes{ sprintf '%s %04o', -d _ ? 'folder' : 'file', $mode } },
            $File::Find::name;
    }, $t->storage);

    is_deeply([sort keys %modes], ['file 0640', 'folder 0750'],
        'files are 0640, folders 0750') or diag(explain(\%modes));
}


# by its bytes, never by a name or a declared type

for my $case (
    [png => 'holiday.jpg', 'image/jpeg'],
    [jpg => 'photo.png',   'image/png'],
    [bmp => 'movie.gif',   'image/gif'],
    [png => '',            'text/plain; charset=utf-8'],
    [bmp => "../../x.jpg", 'not a type'],
) {
    my ($format, $name, $type) = @$case;

    $r = $t->form('posts', [author => 'ann', body => 'x',
        image => [$name, $type, $images{$format}]]);

    is($r->{status}, 201, "a $format called '$name', said to be $type");
    ok((grep { /$r->{json}{PostID}\.$format$/ } $t->files('originals')),
        "is kept as a $format");
}


# order and unknown parts do not matter

$r = $t->form('posts', [x => 'y', image => $images{png}, x => "\0\xff",
    author => 'ann', albums => '1', body => 'x']);
is($r->{status}, 201, 'unknown parts are ignored');

$r = $t->json('posts', { author => 'ann', body => 'x', image => 7, a => [{}],
    image_contents => encode_base64($images{png}, '') });
is($r->{status}, 201, 'unknown members are ignored');


# DELETE: post, comments, image, original

my @files = $t->files;
my $keys = $t->stored;

$post = $t->post(image => $images{bmp});

my $path = "posts/$post->{PostID}";

$t->comment($post->{PostID}) for 1 .. 3;

is(scalar(() = $t->files), @files + 2, 'a post has two files');

$r = $t->delete($path);

is($r->{status}, 204, 'deleted');
is($r->{body}, '', 'without a word');
is_deeply([grep { !/:buried:$post->{PostID}$/ } @{ $t->stored }], $keys,
    'files and keys are gone');
is($t->redis('EXISTS', "imagegram:{0}:buried:$post->{PostID}"), 1,
    'its PostID is given up');

is($t->get($path)->{status}, 404, 'the post is gone');
is($t->get("$path/comments")->{status}, 404, 'its comments, too');
is($t->get($post->{Image})->{status}, 404, 'its image, too');
is($t->delete($path)->{status}, 404, 'twice is once');

is_deeply([$t->files('tmp')], [], 'nothing remains in tmp/');

done_testing();
