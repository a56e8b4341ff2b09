#!/usr/bin/perl

# Errors as problem documents, also those that nginx makes itself; methods;
# gzip, keep-alive, HTTP/2.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use Imagegram qw(slurp spew wait_for);
use Imagegram::Assert;
use Test::More;


my $t = Imagegram->new(
    http2  => 1,
    http   => 'gzip on;
        gzip_min_length 1;
        gzip_vary on;
        gzip_types application/json application/problem+json;
        limit_req_zone $server_port zone=slow:1m rate=1r/m;
        log_format short "$server_protocol $request_method $status";',
    server => '
        access_log %%DIR%%/logs/access short;

        location /denied/ { imagegram; deny all; }

        location /basic/ {
            imagegram;
            auth_basic test;
            auth_basic_user_file %%DIR%%/none;
        }

        location /small/ { imagegram; client_max_body_size 100; }
        location /busy/  { imagegram; limit_req zone=slow; }

        location /rare/ {
            imagegram;
            limit_req zone=slow;
            limit_req_status 429;
        }

        location /broken/ { imagegram; auth_request /nowhere; }

        location = /nowhere {
            internal;
            proxy_pass http://127.0.0.1:%%PORT_3%%;
        }

        location /if/ {
            imagegram;
            if ($arg_status = 403) { return 403; }
            if ($arg_status = 404) { return 404; }
            if ($arg_status = 410) { return 410; }
            if ($arg_status = 500) { return 500; }
            if ($arg_status = 502) { return 502; }
            if ($arg_status = 504) { return 504; }
            if ($arg_status = text) { return 403 "the admin\'s own words"; }
        }

        location /page/ {
            imagegram;
            error_page 404 /404.html;
            error_page 400 =200 @found;
            error_page 405 https://docs.example/;
            deny 127.0.0.2;
        }

        location = /404.html { root %%DIR%%; internal; }
        location @found      { return 200 "found"; }
        location /outside/   { deny all; }

        location /outside/busy/ { limit_req zone=slow; root %%DIR%%; }

        location /slow/ { imagegram; client_body_timeout 200ms; }',
)->start;

spew($t->dir . '/404.html', 'a page of the admin');

my ($id) = $t->seed(1);
my $comments = "posts/$id/comments";
my $comment = $t->comment($id)->{CommentID};

sub send_comment { $t->json("$_[0]/$comments", { author => 'a', body => 'b' }) }


# what nginx says itself

$t->expect_log(qr{open\(\) ".*/none" failed});

my $r = $t->get('/basic/posts');

is_problem($r, 401, '401 of auth_basic');
is($r->{headers}{'www-authenticate'}, 'Basic realm="test"',
    'its header stays');
is_problem($t->get('/denied/posts'), 403, '403 of deny');
is_problem($t->json("/denied/$comments", {}), 403, 'also where one writes');
is_problem($t->get('/denied/nothing'), 403, 'even below no such path');
is_problem($t->get('nothing'), 404, '404 of no such path');

$r = $t->request('POST', "/small/$comments", body => 'x' x 101,
    headers => ['Content-Type' => 'application/json']);
is_problem($r, 413, '413 of client_max_body_size');
$r = $t->request('POST', "/small/$comments", body => 'x' x 101, expect => 1,
    headers => ['Content-Type' => 'application/json']);
is_problem($r, 413, 'likewise');
is_deeply($r->{interim}, [], 'without 100 Continue');
$r = $t->request('POST', "/small/$comments", body => 'x' x 101, chunked => 1,
    headers => ['Content-Type' => 'application/json']);
is_problem($r, 413, 'of a chunked body, too');

$t->get('/busy/posts');
$r = $t->get('/busy/posts');
is_problem($r, 503, '503 of limit_req');
like($r->{headers}{'retry-after'}, qr/^\d+$/, 'with Retry-After');
is_problem($t->get('/rare/posts'), 429, '429 of limit_req');
is_problem($t->get('/broken/posts'), 500, '500 of auth_request');
is_problem($t->get("/if/posts?status=$_"), $_, "$_ of return")
    for 403, 404, 410, 500, 502, 504;

$r = $t->head('nothing');
is($r->{status}, 404, 'HEAD');
is($r->{headers}{'content-type'}, 'application/problem+json', 'the same type');
is($r->{headers}{'content-length'}, length $t->get('nothing')->{body},
    'and length');

is($t->get('nothing')->{json}{title}, 'Not Found', 'title');
is($t->get('posts?limit=x')->{json}{detail},
    'limit is not a number from 1 to 100', 'detail');
like($t->json($comments, {})->{head}, qr{^HTTP/1.1 422 \w}, 'a reason phrase');
is($t->get('nothing')->{headers}{'x-content-type-options'}, 'nosniff',
    'nosniff');


# what the admin says wins

$r = $t->get('/if/posts?status=text');
is($r->{status}, 403, 'a return with a text');
is($r->{body}, "the admin's own words", 'keeps it');

$r = $t->get('/page/posts/none');
is($r->{status}, 404, 'error_page with a file');
is($r->{body}, 'a page of the admin', 'is what is sent');
unlike($r->{headers}{'content-type'}, qr/problem/, 'as what it is');

$r = $t->get('/page/posts?limit=x');
is($r->{status}, 200, 'error_page with a location');
is($r->{body}, 'found', 'answers');

$r = $t->request('PUT', '/page/posts');
is($r->{status}, 302, 'error_page with a URL');
is($r->{headers}{location}, 'https://docs.example/', 'redirects');
is($t->get('/page/posts')->{status}, 200, 'and what is fine is fine');


# elsewhere nginx is itself

for my $case (['/outside/x', 403], ['/images/x', 404], ['/outside/busy/x', 503])
{
    $r = $t->get($case->[0]);
    is($r->{status}, $case->[1], "outside: $case->[1]");
    is($r->{headers}{'content-type'}, 'text/html', 'a page of nginx');
    like($r->{body}, qr/<html>/, 'as it is');
    ok(!$r->{headers}{'retry-after'}, 'and its headers');
}


# methods

my %allow = (
    'posts'               => 'GET, HEAD, POST, OPTIONS',
    "posts/$id"           => 'GET, HEAD, DELETE, OPTIONS',
    $comments             => 'GET, HEAD, POST, OPTIONS',
    "$comments/$comment"  => 'GET, HEAD, DELETE, OPTIONS',
);

for my $path (sort keys %allow) {
    for my $method (qw(PUT PATCH POST DELETE PROPFIND FOO)) {
        next if $allow{$path} =~ /\b$method\b/;

        $r = $t->request($method, $path, body => '{}');
        is_problem($r, 405, "$method $path");
        is($r->{headers}{allow}, $allow{$path}, 'Allow');
    }

    $r = $t->request('OPTIONS', $path);
    is($r->{status}, 204, "OPTIONS $path");
    is($r->{headers}{allow}, $allow{$path}, 'Allow');
}

is_problem($t->request('OPTIONS', 'nothing'), 404, 'OPTIONS of nothing');
is_problem($t->request('DELETE', 'nothing'), 404, 'DELETE of nothing');
is($t->get($comments)->{json}{comments}[0]{CommentID}, $comment,
    'nothing happened');


# gzip

for my $case (['posts/none', 404], ['/denied/posts', 403], [$comments, 200],
    ['posts?images=base64', 200])
{
    my ($path, $status) = @$case;
    my $wanted = $t->get($path);

    $r = $t->get($path, headers => ['Accept-Encoding' => 'gzip']);
    is($r->{status}, $status, "gzip: $status");
    is($r->{headers}{'content-encoding'}, 'gzip', 'compressed');
    is($r->{headers}{'content-type'}, $wanted->{headers}{'content-type'},
        'of the same type');
    is(Compress::Zlib::memGunzip($r->{body}), $wanted->{body},
        'and the same inside');
    like($wanted->{headers}{vary}, qr/Accept-Encoding/, 'Vary');

    next unless $status == 200;

    my $etag = $r->{headers}{etag};

    like($etag, qr{^W/"[0-9a-f]{32}"\z}, 'a weak ETag');
    is($t->get($path, headers => ['Accept-Encoding' => 'gzip',
        'If-None-Match' => $etag])->{status}, 304, 'by which it is known');
}


# one connection, many errors

my $c = $t->connect;
my @statuses = map { $c->request($t->prepare(@$_))->{status} }
    ['GET', 'nothing'], ['PUT', 'posts', body => 'x' x 1000],
    ['GET', '/denied/posts'], ['GET', '/basic/posts'], ['GET', '/rare/posts'],
    ['POST', $comments, body => 'x' x 1000], ['DELETE', 'posts/none'],
    ['HEAD', 'nothing'], ['OPTIONS', 'posts'], ['GET', 'posts'];

is_deeply(\@statuses, [404, 405, 403, 401, 429, 415, 404, 404, 204, 200],
    'keep-alive after errors');

$c->write(join('', map { "GET $_ HTTP/1.1\r\nHost: x\r\n\r\n" } '/nothing',
    '/posts', '/posts/none', '/posts?limit=1', '/denied/posts', "/$comments"),
    ('GET') x 6);
is_deeply([map { $c->response->{status} } 1 .. 6],
    [404, 200, 404, 200, 403, 200], 'pipelined');


# a body that does not come

$c = $t->connect;
$c->write("POST /slow/$comments HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
    . "Content-Type: application/json\r\n\r\n{\"author\":", 'POST');
ok($c->closed(30), 'who does not send the body is hung up on');
is($t->get("posts/$id")->{json}{CommentCount}, 1, 'and nothing is made');


# HTTP/2

SKIP: {
    skip 'curl is missing, or does not speak HTTP/2'
        if `curl --version 2>/dev/null` !~ /\bHTTP2\b/;

    my @h2 = ('--http2-prior-knowledge');
    my @json = (@h2, '-H', 'Content-Type: application/json', '-d');
    my $get = $t->curl(2, 'posts', @h2);

    like($get->{head}, qr{^HTTP/2 200}, 'the feed over HTTP/2');
    is($get->{body}, $t->get('posts')->{body}, 'is the feed');
    is_problem($t->curl(2, 'nothing', @h2), 404, 'HTTP/2: 404');
    is_problem($t->curl(2, '/denied/posts', @h2), 403, 'HTTP/2: 403');
    is_problem($t->curl(2, 'posts', @h2, '-X', 'PUT'), 405, 'HTTP/2: 405');
    is_problem($t->curl(2, $comments, @json, '{}'), 422, 'HTTP/2: 422');
    is_problem($t->curl(2, $comments, @json, '{'), 400, 'HTTP/2: 400');

    $r = $t->curl(2, $comments, @json, '{"author":"ann","body":"two"}');
    is($r->{status}, 201, 'a comment is made');
    is($t->curl(2, $r->{headers}{location}, @h2)->{json}{Body}, 'two',
        'and read');
    is($t->curl(2, $r->{headers}{location}, @h2, '-X', 'DELETE')->{status}, 200,
        'and deleted');

    my $image = $t->dir . '/image.png';

    spew($image, Imagegram::Image::png(4, 4));
    $r = $t->curl(2, 'posts', @h2, '-F', 'author=ann', '-F', 'body=two',
        '-F', "image=\@$image");
    is($r->{status}, 201, 'a post is made');
    is($t->curl(2, $r->{headers}{location} // '', @h2, '-X', 'DELETE')
        ->{status}, 204, 'and deleted');
    is($t->curl(2, 'posts?images=base64', @h2)->{status}, 200,
        'images=base64');
    like($t->curl(2, 'posts', @h2, '-I')->{head}, qr{^HTTP/2 200}, 'HEAD');

    # Debian's curl gives up where nginx resets a stream whose body it does not
    # want, so it is the log that says how the request ended

    my $large = $t->dir . '/large';

    spew($large, 'x' x 500_000);

    for my $path ($comments, "/small/$comments") {
        spew($t->dir . '/logs/access', '');
        $t->curl(2, $path, @json, "\@$large", '--stderr', '/dev/null');
        ok(wait_for(sub {
            slurp($t->dir . '/logs/access') =~ m{^HTTP/2.0 POST 413$}m;
        }, 10), "413 below $path");
    }

    is($t->curl(2, 'posts', @h2)->{status}, 200, 'and nothing is stuck');
}


# a body that nobody wants, and that is none

$r = $t->connect->write("GET /posts HTTP/1.1\r\nHost: localhost\r\n"
    . "Transfer-Encoding: chunked\r\n\r\nnumber\r\n", 'GET')->response;
is_problem($r, 400, 'a malformed body of a GET');

done_testing();
