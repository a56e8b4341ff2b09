#!/usr/bin/perl

# Clients that mean no good, or know no better: thousands of connections, some
# slow, some gone at once; requests that are too many, too long, or none.  What
# they took comes back, and others are served meanwhile.
#
# IMAGEGRAM_CONNECTIONS is how many there are at a time (2000).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(sleep time);

use Imagegram qw(memory open_files wait_for);
use Imagegram::Assert;
use Imagegram::HTTP2;
use Imagegram::Image;
use Test::More;

use constant MB => 1024 * 1024;


my $many = $ENV{IMAGEGRAM_CONNECTIONS} // 2000;

# as many descriptors as there may be: who sends a body has two in the worker
my ($most) = `sh -c 'ulimit -Hn'` =~ /(\d+)/;

if ($most && $most < 2 * $many) {
    $many = int($most / 2);
    diag("only $many connections, as there may be $most descriptors");
}

# the shell can raise its own limit, and what it becomes has that

my ($now) = `sh -c 'ulimit -Sn'` =~ /^(\d+)/;

if (!$ENV{IMAGEGRAM_RAISED} && $now && $now < $many + 500) {
    $ENV{IMAGEGRAM_RAISED} = 1;
    exec 'sh', '-c', 'ulimit -Sn $(ulimit -Hn) && exec "$@"', 'sh', $^X, $0;
}

my $t = Imagegram->new(
    connections => $many + 400,
    main        => "worker_rlimit_nofile @{[ 2 * $many ]};",
    http2       => 1,
    users       => { ann => 'a' },
    http        => 'client_header_timeout 300s; client_body_timeout 300s;
        keepalive_requests 100000;',
    servers     => 'server {
        listen 127.0.0.1:%%PORT_3%%;
        client_header_timeout 1s;
        client_body_timeout 1s;
        send_timeout 1s;
        keepalive_timeout 1s;
        lingering_timeout 1s;
        location / { imagegram; }
    }',
    settings    => {
        converters => '1 timeout=5m path=%%CONVERTER%% queue=400',
    },
)->start;

my $png = Imagegram::Image::png(8, 8);
my $post = $t->post(user => 'ann', author => 'ann')->{PostID};

$t->post(user => 'ann', author => 'ann') for 1 .. 5;

my ($worker) = $t->worker_pids;
my $open = open_files($worker);


# Others: each is answered, and how long the slowest of them waited says a
# diagnostic

sub others {
    my ($what) = @_;

    my ($failed, $longest) = (0, 0);

    for (1 .. 20) {
        for my $request (['GET', 'posts'], ['GET', "posts/$post"],
            ['POST', "posts/$post/comments", user => 'ann',
                json => { body => 'x' }])
        {
            my $begin = time;
            my $r = $t->request(@$request);
            my $took = time - $begin;

            $failed++ if $r->{status} !~ /^20[01]$/;
            $longest = $took if $took > $longest;
        }
    }

    is($failed, 0, "$what: others are served");
    note(sprintf '%s: the slowest took %.0f ms', $what, 1000 * $longest);
}

sub comes_back {
    my ($what) = @_;

    ok(wait_for(sub { open_files($worker) <= $open }, 60),
        "$what: all descriptors come back")
        or diag(open_files($worker), " > $open");
    is_deeply([$t->files('tmp')], [], 'and nothing lies about');
}

# A second time takes no more than the first one did: a leak would

sub twice {
    my ($what, $code) = @_;

    my @memory;

    for (1, 2) {
        $code->();
        comes_back($what);
        push @memory, memory($worker) / MB;
    }

    SKIP: {
        skip 'the sanitizers keep what was freed', 1 if $t->sanitized;
        cmp_ok($memory[1], '<', $memory[0] + 4, "$what: and memory")
            or diag("@memory");
    }
}


# thousands of connections: idle, in the midst of a header, in that of a body

others('nobody else');

my @begun = ('', "GET /posts HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    "POST /posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    . "Content-Type: application/json\r\nAuthorization: Basic YW5uOmE=\r\n"
    . "\r\n{",
    "POST /posts/$post/comments HTTP/1.1\r\nHost: localhost\r\n"
    . "Authorization: Basic YW5uOmE=\r\nContent-Type: application/json\r\n"
    . "Content-Length: 1000\r\n\r\n{");

twice("$many connections", sub {
    my @clients;

    for my $n (1 .. $many) {
        my $client = $t->connect;

        $client->write($begun[$n % @begun]) if length $begun[$n % @begun];
        push @clients, $client;
    }

    ok(wait_for(sub { open_files($worker) > $many }, 60),
        "$many are connected") or diag(open_files($worker));
    others("$many connections");
    $_->close(1) for @clients;
});


# slow ones, which nginx sends away

twice('slow ones', sub {
    my @clients = map {
        my $client = $t->connect(port => $t->port(3));
        $client->write($begun[1 + $_ % (@begun - 1)]);
    } 1 .. 300;
    my $end = time + 3;

    # a header has a time for all of it, a body for each piece

    while (time < $end) {
        $_->write('a') for grep { !$_->closed } @clients[0, 3, 6];
        others('slow ones');
        sleep 0.2;
    }

    my $left;

    wait_for(sub {
        Imagegram::HTTP::step(\@clients, 0.1);
        !($left = grep { !$_->closed } @clients);
    }, 30);
    is($left, 0, 'all are sent away');
});


# aborts, as many as there is time for

twice('aborts', sub {
    my $n = 0;
    my $end = time + 2;

    while (time < $end) {
        my $client = $t->connect(port => $t->port(3));

        $client->write($begun[$n++ % @begun] . 'x');
        $client->close($n % 2);
    }

    cmp_ok($n, '>', 500, "aborts: $n in two seconds");
    others('aborts');
});


# a small request that stops at every byte

{
    my ($type, $body) = Imagegram::Body::multipart(body => 'x', image => $png);
    my $request = "POST /posts HTTP/1.1\r\nHost: localhost\r\n"
        . "Authorization: Basic YW5uOmE=\r\nContent-Type: $type\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    my $before = $t->redis('ZCARD', 'imagegram:{0}:feed');

    for my $n (1 .. length($request) - 1) {
        $t->connect(port => $t->port(3))->write(substr $request, 0, $n)
            ->close($n % 2);
    }

    comes_back('stops at each byte');
    is($t->redis('ZCARD', 'imagegram:{0}:feed'), $before, 'no post is made');
}


# pipelining

{
    my $client = $t->connect;
    my $get = "GET /posts HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $comment = "POST /posts/$post/comments HTTP/1.1\r\nHost: localhost\r\n"
        . "Authorization: Basic YW5uOmE=\r\nContent-Type: application/json\r\n"
        . "Content-Length: 12\r\n\r\n{\"body\":\"x\"}";

    my $none = "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n";

    $client->write("$get$comment$none" x 100, ('GET', 'POST', 'GET') x 100);

    my @got = map { $client->response->{status} } 1 .. 300;

    is("@got", join(' ', (200, 201, 404) x 100), 'pipelining: in their order');
    $client->close;
    comes_back('pipelining');
}


# HTTP/2: streams that are reset as soon as they are opened

twice('rapid resets', sub {
    my $n = 0;

    for (1 .. 20) {
        my $client = Imagegram::HTTP2->new(port => $t->port(2));

        # nginx closes the connection where it has seen enough
        eval {
            for (1 .. 500) {
                $client->begin('GET', '/posts', [], '');
                $client->reset;
                $client->next_stream;
                $n++;
            }
        };

        $client->close(1);
    }

    cmp_ok($n, '>=', 500, "rapid resets: $n");
    others('rapid resets');
});

twice('uploads that are reset', sub {
    my $client = Imagegram::HTTP2->new(port => $t->port(2));

    eval {
        for (1 .. 200) {
            $client->begin('POST', '/posts', ['content-length', 1000,
                'content-type', 'image/png', 'authorization',
                'Basic YW5uOmE='], 'x');
            $client->reset;
            $client->next_stream;
        }
    };

    $client->close(1);
    others('uploads that are reset');
});


# what is no request, or too much of one

for my $case (
    ["GET /posts?x=@{[ 'y' x 40_000 ]} HTTP/1.1\r\nHost: a\r\n\r\n", 414,
        'a long address'],
    ["GET /posts HTTP/1.1\r\nHost: a\r\nX: @{[ 'y' x 40_000 ]}\r\n\r\n", 400,
        'a long header'],
    ["GET /posts HTTP/1.1\r\n" . "X: y\r\n" x 20_000 . "\r\n", 400,
        'many headers'],
    ["GET /posts HTTP/1.1\r\n\r\n", 400, 'no Host'],
    ["GET /posts HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, 'two of them'],
    ["GET /posts HTTP/9.9\r\nHost: a\r\n\r\n", 505, 'another version'],
    ["G\0T /posts HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'no method'],
    ["BREW /posts HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YW5uOmE=\r\n"
        . "\r\n", 405, 'another method'],
    ["POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400,
        'a negative length'],
    ["POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        . "Content-Length: 2\r\n\r\nx", 400, 'two lengths'],
    ["POST /posts HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        . "Transfer-Encoding: chunked\r\n\r\nx", 400, 'a length and chunks'],
    ["POST /posts HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YW5uOmE=\r\n"
        . "Content-Type: application/json\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n"
        . "zz\r\n", 400, 'no chunk'],
    ["POST /posts HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YW5uOmE=\r\n"
        . "Content-Type: multipart/form-data; boundary=b\r\n"
        . 'Content-Length: ' . '9' x 18 . "\r\n\r\n", 413, 'a huge length'],
    ["GET /posts/%00%ff/comments HTTP/1.1\r\nHost: a\r\n\r\n", 400,
        'a zero in the path'],
    ["GET /../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400,
        'a path that leads out'],
    ["\x16\x03\x01\x02\0\1\0\1\xfc\x03\x03", 400, 'TLS'],
    ["\r\n" x 1000, 0, 'nothing at all'],
) {
    my ($bytes, $status, $what) = @$case;
    my $client = $t->connect(timeout => $status ? 30 : 1);

    my $r = $client->write($bytes, 'GET')->response;

    is($r->{status}, $status, "$what: $status");
    unlike($r->{body}, qr/\Q@{[ $t->dir ]}\E|redis|0x[0-9a-f]{6}/i,
        'which tells nothing');
    $client->close;
}

comes_back('what is no request');


# images: ranges, and caches that are asked for what is not there

{
    my $image = $t->get("posts/$post")->{json}{Image};
    my $whole = $t->get($image);
    my $length = length $whole->{body};
    my $ranges = join ',', map { "$_-$_" } map { $_, 0 } 1 .. 300;

    for my $case (
        ['bytes=0-0',                206, 1],
        ["bytes=0-@{[ 10 * $length ]}", 206, $length],
        ["bytes=-1",                 206, 1],
        ["bytes=$length-",           416],
        ['bytes=5-2',                416],
        ["bytes=$ranges",            200, $length],
        ['bytes=0-18446744073709551616', 416],
        ['lines=1-2',                200, $length],
    ) {
        my ($range, $status, $bytes) = @$case;
        my $r = $t->get($image, headers => [Range => $range]);
        my $name = 'Range: ' . substr $range, 0, 40;

        like($r->{status}, qr/^(?:$status|416)$/, "$name: $r->{status}");
        is(length $r->{body}, $bytes, 'as many bytes')
            if defined $bytes && $r->{status} == $status;
        cmp_ok(length $r->{body}, '<=', $length, 'and never more');
    }

    for my $path (map { "$image$_" } '?', '?' . 'x' x 3000, '/', '.gz', '%00',
        '/../../../nginx.conf')
    {
        my $r = $t->get($path);

        like($r->{status}, qr/^(?:200|400|404)$/, 'an address like it');
        ok($r->{status} != 200 || $r->{body} eq $whole->{body},
            'is the image, or nothing');
    }
}

is_deeply([$t->worker_pids], [$worker], 'the worker is the one that began');

done_testing();
