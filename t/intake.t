#!/usr/bin/perl

# Request bodies in every way they may arrive: at once, in pieces, in chunks,
# announced, pipelined, over HTTP/2, many at a time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp);
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new(
    http2   => 1,
    workers => 2,
    server  => '
        location /mirror/ { imagegram; mirror /sink; }
        location /sink    { internal; return 204; }
        location /again/  { imagegram; mirror /mirror/posts; }',
)->start;

my $png = Imagegram::Image::png(8, 8);
my $bmp = slurp(Imagegram::Image::big_bmp($t->dir . '/big', 3_000_000));

my ($type, $body) = Imagegram::Body::multipart(author => 'ann', body => 'x',
    image => $png);
my @post = (method => 'POST', path => '/posts',
    headers => ['Content-Type' => $type], body => $body);


sub created {
    my ($what, $r, $image) = @_;

    is($r->{status}, 201, "$what: created") or diag($r->{body});

    my ($original) = grep { /$r->{json}{PostID}/ } $t->files('originals');

    ok(slurp($t->storage . "/$original") eq ($image // $png),
        "$what: byte for byte");
}

sub ends {
    is_deeply([$t->files('tmp')], [], 'nothing remains in tmp/');
}


# --- one request

for my $case (
    ['at once'],
    ['byte by byte',           pieces => 1],
    ['in small pieces, slowly', pieces => 60, pause => 0.02],
    ['in a chunk',             chunked => 1],
    ['in a chunk, in pieces',  chunked => 1, pieces => 7],
    ['after 100 Continue',     expect => 1],
    ['in a chunk, after 100 Continue', chunked => 1, expect => 1],
) {
    my ($what, %options) = @$case;

    my $r = $t->connect->request(@post, %options);

    created($what, $r);
    is_deeply($r->{interim}, $options{expect} ? [100] : [], "$what: 100");
}

for my $size (1, 10, 1000) {
    my $rest = $body;
    my $r = $t->connect->request(@post, body => sub {
        length $rest ? substr($rest, 0, $size, '') : undef;
    });

    created("in chunks of $size", $r);
}

# more than the buffers hold

for my $options ({}, { chunked => 1 }, { pieces => 50_000 }) {
    my $r = $t->upload($bmp, %$options)->response;

    created('3 MB ' . join(' ', %$options), $r, $bmp);
}


# --- one connection

my $c = $t->connect;

created("request $_ of a connection", $c->request(@post)) for 1 .. 3;

my $request = join "\r\n", 'POST /posts HTTP/1.1', 'Host: localhost',
    "Content-Type: $type", 'Content-Length: ' . length $body, '', $body;
my $get = "GET /posts?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";

$c->write("$request$get$request$request$get", 'POST');
push @{ $c->{sent} }, map { { method => $_, time => 0 } }
    qw(GET POST POST GET);

for my $method (qw(POST GET POST POST GET)) {
    my $r = $c->response;

    $method eq 'POST' ? created('pipelined', $r)
        : is($r->{status}, 200, 'pipelined: a page');
}

# a body that is refused does not spoil the connection

my $r = $c->request(@post, body => substr($body, 0, -4));

is($r->{status}, 400, 'a malformed body');
created('the next request', ($c->closed(0.2) ? $t->connect : $c)
    ->request(@post));
ends();


# --- a body that nginx has read before, into memory or into a file

for my $image ($png, $bmp) {
    for my $options ({}, { chunked => 1 }) {
        created('mirror', $t->upload($image, path => '/mirror/posts',
            %$options)->response, $image);
    }
}

# a subrequest cannot have it, too

my @workers = $t->worker_pids;
my $posts = @{ ($t->walk('posts?limit=100'))[0] };

created('mirrored into the API', $t->upload($_, path => '/again/posts')
    ->response, $_) for ($png, $bmp) x 2;
is(scalar @{ ($t->walk('posts?limit=100'))[0] }, $posts + 4, 'once each');
is($t->get('/again/posts')->{status}, 200, 'it may read');
is_deeply([sort $t->worker_pids], [sort @workers], 'the workers are well');
ends();


# --- many at a time

my @clients = map { $t->connect->send(@post, pieces => 40, pause => 0.01) }
    1 .. 30;

Imagegram::HTTP::run(\@clients, 60);
is(scalar(grep { $_->response->{status} == 201 } @clients), 30,
    'thirty at a time');
ends();


# --- HTTP/2

my $file = $t->dir . '/photo.png';

Imagegram::spew($file, $png);

for my $case ([$file, $png], [$t->dir . '/big', $bmp]) {
    $r = $t->curl(2, 'posts', '--http2-prior-knowledge', '-F', 'author=ann',
        '-F', 'body=x', '-F', "image=\@$case->[0]");

    like($r->{head}, qr{^HTTP/2 201}, 'HTTP/2');
    created('HTTP/2', $r, $case->[1]);
}

$r = $t->curl(2, 'posts', '--http2-prior-knowledge', '-F', 'author=ann',
    '-F', 'body=', '-F', "image=\@$file");
is($r->{status}, 422, 'HTTP/2: a bad field');

# curl 7.88 makes an error of its own of an answer that comes while it sends

Imagegram::spew($file, "\0" x 110_000_000);

my $url = sprintf 'http://127.0.0.1:%d/posts', $t->port(2);
my $said = `nghttp -v -d $file -H 'Content-Type: $type' $url`;

like($said, qr/:status: 413/, 'HTTP/2: too large');
like($said, qr/"status":413/, 'HTTP/2: too large, with a problem document');
ends();

done_testing();
