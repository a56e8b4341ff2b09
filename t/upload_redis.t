#!/usr/bin/perl

# Redis leaves or hangs while a post is being made.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(suspend wait_for);
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new(
    settings => { redis => '%%REDIS%% connect_timeout=1s timeout=1s' },
)->start;

my $png = Imagegram::Image::png(8, 8);
my $converter = $t->converter_pid;

$t->post;

my @before = $t->files;


# An upload that is complete, but not converted before go() is called.

sub held {
    suspend($converter);

    my $c = $t->upload($png);

    ok(wait_for(sub { (() = $t->files('tmp')) == 3 }, 30),
        'an upload waits for the converter');

    return $c;
}

sub unavailable {
    my ($what, $r) = @_;

    is($r->{status}, 503, "$what: 503");
    is($r->{headers}{'content-type'}, 'application/problem+json',
        "$what: a problem");
    ok($r->{headers}{'retry-after'}, "$what: Retry-After");
}

# Redis is back: posts are made, and all of them have their files.

sub recovers {
    my ($what) = @_;

    ok(wait_for(sub {
        $t->form('posts', [author => 'a', body => 'b', image => $png])
            ->{status} == 201;
    }, 30), "$what: posts are made again");

    for my $post (@{ ($t->walk('posts?limit=100'))[0] }) {
        is((() = grep { /$post->{PostID}/ } $t->files), 2,
            "$what: a post with image and original");
    }

    is_deeply([$t->files('tmp')], [], "$what: nothing remains in tmp/");
}


# --- it ends between body and script: nothing was sent, nothing stays

my $c = held();

$t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});
$t->stop_redis;
kill 'CONT', $converter;
unavailable('Redis is gone', $c->response);
is_deeply([$t->files], \@before, 'no file stays');


# --- it is not there at all: said before the body is read

my $asked = 0;

my $r = $t->request('POST', 'posts', expect => 1, length => 1000,
    body => sub { $asked++; 'x' },
    headers => ['Content-Type' => 'multipart/form-data; boundary=x']);

unavailable('no Redis', $r);
is_deeply($r->{interim}, [], 'without 100 Continue');
is($asked, 0, 'the body is not waited for');
is_deeply([$t->files], \@before, 'no file stays');

$t->start_redis;
recovers('Redis is back');


# --- it hangs with the script sent: it may yet be carried out

@before = $t->files;
$c = held();
suspend($t->redis_pid);
kill 'CONT', $converter;
unavailable('Redis hangs', $c->response);
is(scalar(() = $t->files), @before + 2, 'the files stay');

kill 'CONT', $t->redis_pid;
recovers('Redis goes on');


# --- it hangs and is killed: nobody knows

@before = $t->files;
$c = held();
suspend($t->redis_pid);
kill 'CONT', $converter;
ok(wait_for(sub { (() = $t->files) == @before + 2 }, 30), 'files in place');
$t->stop_redis('KILL');
unavailable('Redis is killed', $c->response);
is(scalar(() = $t->files), @before + 2, 'the files stay');

$t->start_redis;
recovers('Redis is started again');

done_testing();
