#!/usr/bin/perl

# The cache of the feed's pages, as clients and admins see it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Uncompress::Gunzip ();
use Test::More;

use Imagegram qw(wait_for);
use Imagegram::RedisProxy;


my @gzip = (headers => ['Accept-Encoding' => 'gzip']);

my $t = Imagegram->new(
    workers  => 2,
    location => '/api/v1/',
    settings => { cache => 'zone=feed:1m' },
    http     => 'gzip on; gzip_types application/json; gzip_min_length 1;',
    servers  => 'server {
        listen 127.0.0.1:%%PORT_2%%;

        location /          { imagegram; }
        location /plain/    { imagegram; imagegram_cache off; gzip off; }
        location /nogzip/   { imagegram; gzip off;
                              imagegram_cache zone=feed:1m gzip=off; }
        location /vary/     { imagegram; gzip_vary on; }
        location /elsewhere/ { imagegram; imagegram_image_base /i/; }
    }',
)->start;

my @posts = reverse $t->seed(60);


ok($t->caches('posts'), 'pages are cached');

my $plain = $t->get('/plain/posts?limit=7', port => 2);

for my $path ('posts', 'posts?limit=7', 'posts?limit=100') {
    my $r = $t->get($path);
    my $again = $t->get($path);

    $r->{headers} = { map { $_ => $r->{headers}{$_} } grep { $_ ne 'date' }
        keys %{ $r->{headers} } };
    delete $again->{headers}{date};

    is_deeply([@$again{qw(status headers body)}],
        [@$r{qw(status headers body)}], "$path is the same again");
    is_deeply([map { $_->{PostID} } @{ $r->{json}{posts} }],
        [@posts[0 .. $#{ $r->{json}{posts} }]], 'with the right posts');

    my $head = $t->head($path);

    is($head->{status}, 200, "HEAD $path");
    is($head->{headers}{$_}, $r->{headers}{$_}, "has its $_")
        for qw(content-length etag);
    is($head->{body}, '', 'and no body');

    my $etag = $r->{headers}{etag};

    $r = $t->get($path, headers => ['If-None-Match' => $etag]);
    is($r->{status}, 304, 'If-None-Match: 304');
    is($r->{headers}{etag}, $etag, 'with the ETag');
    is($r->{body}, '', 'and no body');

    $r = $t->get($path, headers => ['If-None-Match' => '"other"']);
    is($r->{status}, 200, 'not for another one');
}

is($t->get('posts?limit=7')->{body}, $plain->{body} =~ s{/plain/}{/api/v1/}gr,
    'a cached page is what the uncached one is');
is($t->get('posts?limit=7')->{headers}{etag}, $plain->{headers}{etag},
    'and so is its ETag');

my ($walked) = $t->walk('posts?limit=7');

is_deeply([map { $_->{PostID} } @$walked], \@posts, 'the walk meets all');

my $next = $t->get('posts?limit=7')->{json}{nextPage};

ok($t->caches("posts?limit=3&nextPage=$next"), 'later pages are cached, too');


# pages depend on the location

for my $path ('/posts?limit=2', '/elsewhere/posts?limit=2') {
    my ($base) = $path =~ m{^(/(?:elsewhere/)?)};
    my $image = $base eq '/' ? '/images/' : '/i/';

    for (1 .. 2) {
        my $r = $t->get($path, port => 2);

        like($r->{headers}{link}, qr{^<\Q$base\Eposts\?limit=2&},
            "Link of $path");
        like($r->{json}{posts}[0]{Image}, qr/^\Q$image\E/, 'and its images');
    }
}


# compressed

{
    my $r = $t->get('posts', @gzip);
    my $identity = $t->get('posts');

    is($r->{headers}{'content-encoding'}, 'gzip', 'pages come compressed');
    cmp_ok(length $r->{body}, '<', length($identity->{body}) / 2,
        'which makes them smaller');
    is(gunzip($r->{body}), $identity->{body}, 'and they are the same');
    like($r->{headers}{etag}, qr/^"[0-9a-f]{32}"$/, 'with a strong ETag');
    isnt($r->{headers}{etag}, $identity->{headers}{etag}, 'of their own');
    is($_->{headers}{vary}, 'Accept-Encoding', 'Vary says so')
        for $r, $identity;

    is($t->get('posts', headers => ['Accept-Encoding' => 'gzip',
            'If-None-Match' => $r->{headers}{etag}])->{status}, 304,
        'If-None-Match: 304');
    is($t->get('posts', headers => ['If-None-Match' => $r->{headers}{etag}])
            ->{status}, 200, 'but not for who cannot read it');
    is($t->head('posts', @gzip)->{headers}{'content-length'},
        length $r->{body}, 'HEAD tells its length');
    is($t->get('posts', @gzip)->{body}, $r->{body}, 'it is kept');

    my $new = $t->comment($posts[40]);

    $r = $t->get('posts', @gzip);
    like(gunzip($r->{body}), qr/$new->{CommentID}/,
        'a change is in the compressed page');
    ok($t->caches('posts', @gzip), 'which is cached again');

    $r = $t->get('/nogzip/posts', @gzip, port => 2);
    ok(!$r->{headers}{'content-encoding'}, 'gzip=off: not compressed');
    ok(!$r->{headers}{vary}, 'without Vary');

    for my $request ([], [@gzip]) {
        $r = $t->get('/vary/posts', @$request, port => 2);
        is($r->{headers}{vary}, 'Accept-Encoding', 'gzip_vary: Vary, once');
    }

    $r = $t->get('/vary/posts?limit=100', headers => [
        'Accept-Encoding' => 'gzip', Via => '1.1 proxy']);
    ok(!$r->{headers}{'content-encoding'}, 'not for proxies by default');
}

sub gunzip {
    my ($bytes) = @_;

    IO::Uncompress::Gunzip::gunzip(\$bytes, \my $text)
        or return 'not compressed';

    return $text;
}


# what is not cached

{
    my $before = $t->scripts;

    $t->get('posts?images=base64&limit=1') for 1 .. 3;
    is($t->scripts - $before, 3, 'pages with images are not cached');
}


# changes of all kinds, each seen through both workers right away

for my $round (1 .. 20) {
    my $post = $t->post->{PostID};
    my $comment = $t->comment($posts[$round % 3])->{CommentID};

    my @clients = map { $t->connect } 1 .. 4;

    like(join(' ', map { page($_, 100) } @clients),
        qr/^(?:\S*$comment\S*$post\S*\s*){4}$/, "round $round: both are there");

    $t->delete("posts/$posts[$round % 3]/comments/$comment");
    $t->delete("posts/$post");

    unlike(join(' ', map { page($_, 100) } @clients), qr/$comment|$post/,
        'and gone');
}

# the ids of a page in order

sub page {
    my ($client, $limit) = @_;

    my $r = $client->request(method => 'GET',
        path => $t->path("posts?limit=$limit"));

    return join ',', map { (map { $_->{CommentID} } @{ $_->{LastComments} }),
        $_->{PostID} } @{ $r->{json}{posts} };
}


# reload

$t->reload;
ok($t->caches('posts'), 'after a reload pages are cached');

my $late = $t->comment($posts[50])->{CommentID};

like($t->get('posts')->{body}, qr/$late/, 'and right');

{
    local $t->{settings} = { cache => 'zone=feed:1m', key_prefix => 'other' };

    $t->expect_log(qr/zone "feed" holds the posts of another Redis/);
    Imagegram::spew($t->dir . '/nginx.conf', $t->conf);
    kill 'HUP', $t->nginx_pid;
    ok(wait_for(sub {
        $t->log =~ /\[emerg\].*zone "feed" holds the posts/
    }, 20), 'a zone stays with its posts');
}

ok($t->caches('posts'), 'who goes on serves them');


# a Redis that comes back

$t->expect_log(qr/connect\(\) to unix:/);
$t->stop_redis;
ok(wait_for(sub { $t->get('posts')->{status} == 503 }, 20),
    'without Redis nothing is served, not even from the cache');
$t->start_redis;
ok(wait_for(sub { $t->get('posts')->{status} == 200 }, 20),
    'it comes back');
ok($t->caches('posts'), 'and pages are cached');


# what is too short to be compressed is one page for all

my $short = Imagegram->new(
    settings => { cache => 'zone=short:1m' },
    http     => 'gzip on; gzip_types application/json;',
)->start;

ok($short->caches('posts'), 'a short page is cached');

my $asked = $short->scripts;
my $r = $short->get('posts', @gzip);

is($r->{body}, '{"posts":[]}', 'who wants it compressed gets it as it is');
is($r->{headers}{'content-encoding'}, undef, 'not compressed');
is($short->scripts, $asked, 'from the cache');


# a zone with little room

my $small = Imagegram->new(settings => { cache => 'zone=small:32k' })->start;
my @many = reverse $small->seed(150);

for my $limit (1 .. 100, 1 .. 100, 5, 5, 5) {
    my $r = $small->get("posts?limit=$limit");

    next if $r->{status} == 200 && @{ $r->{json}{posts} } == $limit
        && $r->{json}{posts}[-1]{PostID} eq $many[$limit - 1];

    fail("a page of $limit");
}

pass('a zone with room for two pages serves all');

unlike($small->log, qr/no memory/, 'and does not complain');

done_testing();
