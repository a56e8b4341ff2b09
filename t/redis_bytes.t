#!/usr/bin/perl

# Replies of a real Redis that come byte by byte, are cut, or go on as garbage,
# by way of a proxy, also to the cache and on its subscription: requests get the
# right answer or 503, in time, and work again within a second.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use Imagegram qw(wait_for);
use Imagegram::Faults;
use Imagegram::RedisProxy;


my ($t, $proxy, @posts, $page);

# Two workers, with the cache or without; for a second's patience, or more

sub fresh {
    my ($cache, $timeout) = @_;

    $timeout //= '1s';

    undef $proxy;
    $t->finish if $t;

    $t = Imagegram->new(
        workers  => 2,
        settings => {
            redis => "unix:%%DIR%%/proxy.sock timeout=$timeout",
            cache => $cache,
        },
    );

    $t->start_redis;
    $proxy = Imagegram::RedisProxy->new($t->dir . '/proxy.sock',
        $t->redis_socket);
    $t->start_nginx;
    @posts = reverse $t->seed(30);
    $t->comment($posts[0]);
    $page = page($t);
}

sub well { well_within_a_second($t, $page, @_) }


# replies in pieces of one byte, with the cache on and off

for my $cache ('off', 'zone=feed:1m') {
    fresh($cache, '20s');
    $proxy->pieces;

    is(page($t), $page, "byte by byte, cache $cache: a page") for 1 .. 5;

    my $post = $t->post->{PostID};
    my $id = $t->comment($post)->{CommentID};

    is($t->get('posts?limit=1')->{json}{posts}[0]{PostID}, $post, 'a post');
    is($t->get("posts/$post/comments")->{json}{comments}[0]{CommentID}, $id,
        'comments');
    is($t->get("posts/$post/comments/$id")->{json}{CommentID}, $id, 'one');
    is($t->delete("posts/$post/comments/$id")->{status}, 200, 'no comment');
    is($t->delete("posts/$post")->{status}, 204, 'no post');
    $t->redis(qw(SCRIPT FLUSH));
    is(page($t), $page, 'no scripts') for 1 .. 5;
}


# a reply that is cut anywhere, or continued by what is none

fresh('off');

my @garbage = ("\0\xff\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\$-7\r\n\r\n",
    "*99999999999\r\n", "\x80" x 70_000);

for my $case ((map { [$_, ''] } 0, 1, 3, 4, 9, 40, 2000),
    map { [0, $_], [4, $_] } @garbage)
{
    my ($n, $bytes) = @$case;

    $proxy->spoil('+inf', $n, $bytes);

    my $name = "$n bytes and then " . length($bytes) . ' others';
    my $r = $t->get('posts?limit=100');

    is_refused($r, $name) if $r->{status} != 200 || $r->{body} ne $page;
    isnt($r->{status}, 200, 'no page of it');
    well($name);
}

# a change that was made, of which nobody heard: its key finds out

for my $n (0, 4, 30) {
    my @key = (headers => ['Idempotency-Key' => "key-$n"]);
    my @comment = ("posts/$posts[1]/comments",
        { author => 'ann', body => "spoiled $n" });

    $proxy->spoil("spoiled $n", $n, '');
    is_refused($t->json(@comment, @key), "a comment, cut after $n bytes");

    ok(wait_for(sub { $t->json(@comment, @key)->{status} == 201 }, 20),
        'is there when asked for again');

    # the other worker may be the one whose connection was cut
    my $comments = wait_for(sub {
        $t->get("posts/$posts[1]/comments")->{json}{comments};
    }, 20);

    is(scalar(grep { $_->{Body} eq "spoiled $n" } @$comments), 1, 'once');
}


# the same to the cache, and to its subscription

fresh('zone=feed:1m');

sub cached {
    return wait_for(sub {
        $t->get('posts?limit=100') for 1 .. 4;
        my $before = $proxy->seen('+inf');
        $t->get('posts?limit=100') for 1 .. 10;
        $proxy->seen('+inf') == $before;
    }, 20);
}

ok(cached(), 'pages are cached');

for my $bytes (@garbage, "+OK\r\n", "*3\r\n\$7\r\nmessage\r\n:1\r\n:2\r\n") {
    my $name = length($bytes) . ' bytes on the subscription';

    my $before = $proxy->seen('SUBSCRIBE');

    $proxy->inject('SUBSCRIBE', $bytes);
    is(page($t), $page, "$name: a page") for 1 .. 5;
    ok(wait_for(sub { $proxy->seen('SUBSCRIBE') > $before }, 20),
        'it is made anew');

    my ($id) = $t->seed(1);

    sleep 0.15;
    like(page($t), qr/$id/, 'and a change is seen');
    $page = page($t);
}

for my $case ([0, ''], [7, ''], [0, $garbage[1]], [9, $garbage[0]]) {
    my ($n, $bytes) = @$case;

    ok(cached(), 'pages are cached');
    $proxy->spoil('PUBLISH', $n, $bytes);

    my @wrong = grep { $_->{status} != 503 && $_->{body} ne $page }
        map { $t->get('posts?limit=100') } 1 .. 20;

    is(scalar @wrong, 0, "a beat's answer, spoiled after $n bytes");
    well('it');
}

$t->finish;
done_testing();
