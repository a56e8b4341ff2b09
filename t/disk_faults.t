#!/usr/bin/perl

# A disk that is full, over a quota, read-only, broken or slow, whatever is
# asked of it: 507 or 503, a post is there as a whole or not at all, and service
# goes on for what needs no disk.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(EDQUOT EIO ENOSPC EROFS);
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(time);

use Imagegram qw(spew wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Tus qw(create_request);
use Test::More;


plan skip_all => 'the sanitizers\' own library must be the first one'
    if Imagegram->sanitized;

my $folder = tempdir(CLEANUP => 1);
my $t = Imagegram->new(
    preload  => "$folder/bad_disk.so",
    settings => { converters => "1 timeout=5m path=$folder/convert" },
);
my $storage = $t->storage;
my $control = "$folder/control";

chmod 0755, $folder;
disk();
Imagegram->compile('bad_disk.c', "$folder/bad_disk.so", qw(-shared -fPIC),
    qq(-DCONTROL="$control"), qq(-DSTORAGE="$storage"));

spew("$folder/convert", join "\n", '#!/bin/sh',
    "export LD_PRELOAD=$folder/bad_disk.so",
    'exec ' . $t->converter . ' "$@"', '');
chmod 0755, "$folder/convert";

sub disk {
    my ($error, $delay) = @_;

    # in place: it is mapped
    open my $file, -e $control ? '+<:raw' : '>:raw', $control
        or die "$control: $!\n";
    syswrite $file, pack 'i2', $error // 0, $delay // 0;
}

$t->start;
$t->expect_log(qr/\[(?:crit|alert|error)\]/);

my $png = Imagegram::Image::png(8, 8);
my $id = $t->post->{PostID};

sub posts { $t->redis('ZCARD', 'imagegram:{0}:feed') }

sub whole {
    my ($name) = @_;

    my ($posts) = $t->walk('posts?limit=100');

    is(scalar(grep { $t->get($_->{Image})->{status} != 200 } @$posts), 0,
        "$name: each post has its image");

    # one too many is the sweeper's, where it could not be removed
    my %originals = map { m{/([^/.]+)\.\w+$} ? ($1 => 1) : () }
        $t->files('originals');

    is(scalar(grep { !$originals{ $_->{PostID} } } @$posts), 0,
        'and its original');
}

for my $case (
    [ENOSPC, 507, 'a full disk'],
    [EDQUOT, 507, 'a quota'],
    [EROFS,  503, 'a read-only disk'],
    [EIO,    503, 'a broken disk'],
) {
    my ($error, $status, $what) = @$case;
    my $upload = Imagegram::Tus->create($t, $png);
    my $before = posts();

    disk($error);
    is_problem($t->form('posts', [author => 'ann', body => 'x',
        image => $png]), $status, "$what: no post by a form");
    is_problem($t->json('posts', { author => 'ann', body => 'x',
        image_contents => encode_base64($png, '') }), $status, 'nor in JSON');
    is_problem(create_request($t, 100), $status, 'no upload');
    is_problem($upload->patch(0, $png), $status, 'nor a part of one');

    is($t->get('posts')->{status}, 200, 'the feed is there');
    is($t->comment($id)->{PostID}, $id, 'and can be commented on');
    is($t->get($t->get("posts/$id")->{json}{Image})->{status}, 200,
        'images are, too');

    disk();
    is(posts(), $before, "$what: no post was made");
    is($upload->offset, 0, 'the upload is where it was');
    is($upload->patch(0, $png)->{status}, 204, 'and goes on');
    ok(wait_for(sub { $upload->post }, 30), 'to a post');
    is($t->form('posts', [author => 'ann', body => 'x',
        image => $png])->{status}, 201, 'there is a disk again');
    whole($what);
}

# in the midst of it, at each of its steps

for my $error (ENOSPC, EIO) {
    for my $delay (0 .. 12) {
        my $before = posts();

        disk(0, 5);

        my $client = $t->upload($png);

        Imagegram::HTTP::step([$client], 0.008 * $delay);
        disk($error);

        my $status = $client->response->{status};

        disk();
        like($status, qr/^(?:201|503|507)$/, "it fails after $delay: $status");
        is(posts() - $before, $status == 201 ? 1 : 0, 'and that is true');
    }

    whole('which fails in the midst of it');
}

# a slow one

disk(0, 200);

my $begin = time;
my $client = $t->upload($png);
my $others = 0;

until (@{ $client->{responses} }) {
    $others++ if $t->get('posts')->{status} == 200
        && $t->comment($id)->{PostID};
    Imagegram::HTTP::step([$client], 0);
}

my $took = time - $begin;

disk();
is($client->response->{status}, 201, 'a slow disk: the post is made');
cmp_ok($took, '>', 1, 'in its time');
cmp_ok($others, '>', 10, "and $others others do not wait for it");
whole('a slow disk');

done_testing();
