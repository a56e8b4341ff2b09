#!/usr/bin/perl

# GET posts and GET posts/ID: order, pages, images in base64.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp);
use Imagegram::Assert;
use MIME::Base64;
use Test::More;


my $t = Imagegram->new(
    location => '/api/v1/',
    servers  => 'server {
        listen 127.0.0.1:%%PORT_2%%;

        location /  { imagegram; }
        location /x { imagegram; }
        location /uncached/ { imagegram; imagegram_cache off; }
    }',
)->start;


# nothing yet

my $r = $t->get('posts');

is($r->{status}, 200, 'an empty feed');
is($r->{body}, '{"posts":[]}', 'has no posts and no next page');
is($r->{headers}{'content-type'}, 'application/json', 'and is JSON');
ok(!$r->{headers}{link}, 'without Link');


# a few posts

my @posts = map { $t->post(body => "post $_") } 0 .. 3;
my @ids = map { $_->{PostID} } @posts;

$t->comment($ids[1]) for 1 .. 2;
$t->comment($ids[$_]) for 0, 2;

my @order = @ids[1, 2, 0, 3];

$r = $t->get('posts');

is_deeply([map { $_->{PostID} } @{ $r->{json}{posts} }], \@order,
    'most comments first, then the newest post first');
is_deeply([map { $_->{CommentCount} } @{ $r->{json}{posts} }], [2, 1, 1, 0],
    'CommentCount');
is_deeply([map { $_->{Version} } @{ $r->{json}{posts} }], [2, 1, 1, 0],
    'Version');
is_deeply([sort keys %{ $r->{json}{posts}[0] }],
    [sort qw(PostID Timestamp Author Version Status CommentCount Body Image
        LastComments)], 'the members of a post');
ok(!exists $r->{json}{nextPage}, 'no next page');

for my $post (@{ $r->{json}{posts} }) {
    my $single = $t->get("posts/$post->{PostID}");

    is($single->{status}, 200, 'one post');
    is_deeply($single->{json}, $post, 'is what it is in the feed');
    ok(index($r->{body}, $single->{body}) > 0, 'byte for byte');
}


# pages

$r = $t->get('posts?limit=3');

my $cursor = $r->{json}{nextPage};

is(scalar @{ $r->{json}{posts} }, 3, 'limit');
like($cursor, qr/^[A-Za-z0-9_.~-]{1,64}$/, 'nextPage is safe in a URL');
is($r->{headers}{link},
    "</api/v1/posts?limit=3&nextPage=$cursor>; rel=\"next\"", 'Link');

$r = $t->get("posts?limit=3&nextPage=$cursor");

is_deeply([map { $_->{PostID} } @{ $r->{json}{posts} }], [$order[3]],
    'the rest is on the next page');
ok(!$r->{headers}{link} && !exists $r->{json}{nextPage}, 'the last one');

$r = $t->get('posts?limit=4');
ok(!exists $r->{json}{nextPage}, 'a last page that is full says so');


# ties

my @seeded = reverse $t->seed(260);

@order = (@order[0 .. 2], @seeded, $order[3]);

is(scalar @{ $t->get('posts')->{json}{posts} }, 20, 'the default limit is 20');

for my $limit (1, 7, 20, 100) {
    my ($items, $pages) = $t->walk("posts?limit=$limit");

    is_deeply([map { $_->{PostID} } @$items], \@order,
        "264 posts with ties, $limit a page: each one once, in order");
    is($pages, int((@order + $limit - 1) / $limit), 'and no page too many');
}


# wherever the tree hangs, Link leads on

for my $location ('/', '/x/') {
    my ($path, @found) = ("${location}posts?limit=50");

    while ($path) {
        $r = $t->get($path, port => 2);
        push @found, map { $_->{PostID} } @{ $r->{json}{posts} };

        my ($link) = ($r->{headers}{link} // '') =~ /^<(.*)>; rel="next"$/;

        like($link, qr{^\Q${location}\Eposts\?}, "Link below $location")
            if $link;
        $path = $link;
    }

    is_deeply(\@found, \@order, "and the walk by Link below $location");
}

is_problem($t->get('/xposts', port => 2), 404, '/xposts is not below /x');
is_problem($t->get('/x', port => 2), 404, 'nor is /x the feed');


# one round trip

for my $limit (1, 100) {
    $t->redis(qw(CONFIG RESETSTAT));
    $t->get("/uncached/posts?limit=$limit", port => 2);

    my %calls = $t->redis(qw(INFO commandstats))
        =~ /^cmdstat_([^:]+):calls=(\d+)/mg;

    is($calls{evalsha}, 1, "a page of $limit is one script");
    delete @calls{qw(evalsha zrevrangebyscore zscore hmget config|resetstat)};
    delete @calls{qw(publish exists)};    # the cache's beat
    is_deeply(\%calls, {}, 'and nothing else');
}


# HEAD

for my $path ('posts', 'posts?limit=3', "posts/$ids[0]",
    "posts/$ids[0]?images=base64")
{
    my $get = $t->get($path);
    my $head = $t->head($path);

    delete @{ $_->{headers} }{qw(date)} for $get, $head;
    is($head->{status}, 200, "HEAD $path");
    is($head->{body}, '', 'without a body');
    is_deeply($head->{headers}, $get->{headers}, 'with the headers of GET');
}

is($t->head('posts?limit=0')->{status}, 400, 'HEAD also says 400');


# images=base64

for my $path ("posts/$ids[0]", 'posts?limit=3', 'posts?limit=1') {
    my $query = $path =~ /\?/ ? '&' : '?';
    my $plain = $t->get($path);
    my $r = $t->get("$path${query}images=base64");
    my @got = $r->{json}{posts} ? @{ $r->{json}{posts} } : $r->{json};
    my @wanted = $plain->{json}{posts} ? @{ $plain->{json}{posts} }
        : $plain->{json};

    for my $i (0 .. $#wanted) {
        my $path = $wanted[$i]{Image} =~ s{^/images/}{}r;
        my $file = slurp($t->storage . "/images/$path");

        ok(length $file > 1000 && decode_base64($got[$i]{Image}) eq $file,
            'Image is the JPEG in base64');
        is($got[$i]{Image}, encode_base64($file, ''), 'without line breaks');
        is_deeply({ %{ $got[$i] }, Image => '' },
            { %{ $wanted[$i] }, Image => '' }, 'the rest is the same');
    }

    next unless $plain->{headers}{link};
    like($r->{headers}{link}, qr/[?&]images=base64[&>]/, 'Link keeps to it');
}

is($t->get('posts?images=base64&limit=20')->{status}, 200,
    'images=base64 with a limit of 20');
is_problem($t->get('posts?images=base64&limit=21'), 400, 'but not of 21');


# malformed

my $comments = $t->get("posts/$ids[1]/comments?limit=1")->{json}{nextPage};

for my $query ('limit=0', 'limit=101', 'limit=-1', 'limit=', 'limit=x',
    'limit=1e1', 'limit=+5', 'limit=5x', 'limit=99999999999999999999999',
    'nextPage=', 'nextPage=x', "nextPage=$comments", "nextPage=${cursor}0g",
    'nextPage=' . uc $cursor, 'nextPage=' . 'f' x 65, "nextPage=%00$cursor",
    'nextPage=pffffffffffffffff', 'images=', 'images=base32',
    'images=BASE64')
{
    is_problem($t->get("posts?$query"), 400, "posts?$query");
}

is_problem($t->get("posts/$ids[0]?images=x"), 400, 'also of one post');
is($t->get('posts?limit=100&unknown=x')->{status}, 200,
    'what is not known is ignored');


# no such thing

for my $path ('posts/', 'posts/x', "posts/$ids[0]/", "posts/$ids[0]x",
    'posts/00000000-0000-4000-8000-000000000000', 'posts/' . uc $ids[0],
    "posts/$ids[0]/comment", "posts/$ids[0]/comments/", 'uploadss', '',
    'postsposts', "posts/$ids[0]/comments/x")
{
    is_problem($t->get($path), 404, "no $path");
}


# after a deletion

is($t->delete("posts/$ids[1]")->{status}, 204, 'a post is deleted');
is_problem($t->get("posts/$ids[1]"), 404, 'and gone');
is_problem($t->delete("posts/$ids[1]"), 404, 'also for who deletes it again');
is($t->get($posts[1]{Image})->{status}, 404, 'so is its image');

my ($items) = $t->walk('posts?limit=100');

is_deeply([map { $_->{PostID} } @$items],
    [grep { $_ ne $ids[1] } @order], 'the others stay');
is($t->get("posts?limit=3&nextPage=$cursor")->{status}, 200,
    'a cursor outlives the posts around it');


# whoever has it already is told so, as long as it is the same

for my $path ('posts', 'posts?limit=2', "posts/$ids[0]",
    "posts/$ids[0]/comments", 'posts?images=base64&limit=1')
{
    my $r = $t->get($path);
    my $etag = $r->{headers}{etag};

    like($etag, qr/^"[0-9a-f]{32}"\z/, "$path: a strong ETag");
    is($t->get($path)->{headers}{etag}, $etag, "$path: the same again");
    is($t->request('HEAD', $path)->{headers}{etag}, $etag, "$path: with HEAD");

    my $known = $t->get($path, headers => ['If-None-Match' => $etag]);

    is($known->{status}, 304, "$path: not modified");
    is($known->{body}, '', "$path: nothing is sent");
    is($known->{headers}{etag}, $etag, "$path: but the ETag");
    is($known->{headers}{link}, $r->{headers}{link}, "$path: and Link");
    is_problem($t->get($path, headers => ['If-Match' => '"other"']), 412,
        "$path: If-Match");

    $t->comment($ids[0]);
    $known = $t->get($path, headers => ['If-None-Match' => $etag]);
    is($known->{status}, 200, "$path: after a comment it is another one");
    isnt($known->{headers}{etag}, $etag, "$path: and has another ETag");
}

# what changes something has none

$r = $t->request('POST', "posts/$ids[0]/comments",
    json => { author => 'a', body => 'b' });
ok(!$r->{headers}{etag}, 'POST: without an ETag');
$r = $t->request('DELETE', $r->{headers}{location},
    headers => ['If-None-Match' => '*']);
is($r->{status}, 200, 'DELETE: likewise');
ok(!$r->{headers}{etag}, 'DELETE: without an ETag');

done_testing();
