#!/usr/bin/perl

# Clients that leave in the middle of POST posts: nothing stays open, nothing
# unfinished stays behind, and a post is there with its files or not at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(sleep);

use Imagegram qw(open_files suspend wait_for);
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new(http2 => 1)->start;

my $png = Imagegram::Image::png(8, 8);
my ($type, $body) = Imagegram::Body::multipart(author => 'ann', body => 'x',
    image => $png);

my $head = join "\r\n", 'POST /posts HTTP/1.1', 'Host: localhost',
    "Content-Type: $type", '';

my $big = 'x' x 1_000_000;


# All that a worker opens once; and its listeners, pipes and Redis.

$t->post for 1 .. 3;
sleep 0.3;

my ($worker) = $t->worker_pids;
my $open = open_files($worker);


sub settles {
    my ($what) = @_;

    ok(wait_for(sub { !$t->files('tmp') }, 30), "$what: tmp/ is empty")
        or diag($t->files('tmp'));
    ok(wait_for(sub { open_files($worker) <= $open }, 30),
        "$what: nothing stays open") or diag(open_files($worker), " > $open");

    my ($posts) = $t->walk('posts?limit=100');
    my @ids = sort map { $_->{PostID} } @$posts;

    for my $folder (qw(images originals)) {
        is_deeply([map { m{/([^/]+)\.\w+$} } $t->files($folder)], \@ids,
            "$what: $folder and posts are the same");
    }

    return scalar @ids;
}

my $posts = settles('before');


# --- before the body is complete: no post

my @phases = (
    ['in the request line',    'POST /posts HT'],
    ['in the header',          $head],
    ['before the body',        "${head}Content-Length: 99\r\n\r\n"],
    ['waiting for 100',        "${head}Content-Length: 99\r\n"
        . "Expect: 100-continue\r\n\r\n"],
    ['before the last byte',   "${head}Content-Length: " . length($body)
        . "\r\n\r\n" . substr $body, 0, -1],
    ['in a large body',        "${head}Content-Length: 99999999\r\n\r\n$big"],
    ['in a chunk',             "${head}Transfer-Encoding: chunked\r\n\r\n"
        . "fffff\r\n$big"],
    ['between chunks',         "${head}Transfer-Encoding: chunked\r\n\r\n"
        . "1\r\n-\r\n"],
    ['in a body that is too long', "${head}Transfer-Encoding: chunked\r\n\r\n"
        . "fffffff\r\n$big"],
);

for my $case (@phases) {
    my ($what, $bytes) = @$case;

    for my $reset (0, 1) {
        my $way = $reset ? "reset $what" : "closed $what";
        my @clients = map { $t->connect->write($bytes) } 1 .. 3;

        wait_for(sub { (() = $t->files('tmp')) == 3 }, 5)
            if $bytes =~ /\r\n\r\n/;
        $_->close($reset) for @clients;

        is(settles($way), $posts, "$way: no post");
    }
}


# --- while it is converted: it becomes a post, or it does not

my $converter = $t->converter_pid;

for my $reset (0, 1) {
    suspend($converter);

    my @clients = map { $t->upload($png) } 1 .. 3;

    ok(wait_for(sub { (() = $t->files('tmp')) == 9 }, 30),
        'three wait for the converter');
    $_->close($reset) for @clients;
    is($t->get('posts')->{status}, 200, 'readers do not notice');

    kill 'CONT', $converter;
    settles('left during the conversion');
}


# --- while Redis is asked

for my $reset (0, 1) {
    $posts = settles('before');
    suspend($t->redis_pid);

    my $client = $t->upload($png);

    ok(wait_for(sub { (() = $t->files('originals')) > $posts
        && !$t->files('tmp') }, 30), 'one waits for Redis');
    $client->close($reset);
    sleep 0.2;

    kill 'CONT', $t->redis_pid;
    settles('left while Redis was asked');
}


# --- HTTP/2, where a stream ends and its connection does not

my $file = $t->dir . '/big.bmp';

Imagegram::Image::big_bmp($file, 8 << 20);
$posts = settles('before');

for (1 .. 3) {
    $t->curl(2, 'posts', qw(-s --http2-prior-knowledge --limit-rate 1M
        --max-time 0.5 -F author=ann -F body=x -F), "image=\@$file");
}

is(settles('HTTP/2'), $posts, 'HTTP/2: no post');

is_deeply([$t->worker_pids], [$worker], 'the worker is the same as before');
is($t->form('posts', [author => 'a', body => 'b', image => $png])->{status},
    201, 'and serves');

done_testing();
