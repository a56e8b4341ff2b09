#!/usr/bin/perl

# Reload and quit while posts are being made: what was let in is finished, and
# then the old worker ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(alive spew suspend wait_for);
use Imagegram::Image;
use Imagegram::Tus;
use Test::More;


my $t = Imagegram->new->start;

my $png = Imagegram::Image::png(8, 8);
my ($type, $body) = Imagegram::Body::multipart(author => 'ann', body => 'x',
    image => $png);

my $head = join "\r\n", 'POST /posts HTTP/1.1', 'Host: localhost',
    "Content-Type: $type", 'Content-Length: ' . length $body, '', '';


# Two uploads, one of them half way, one being converted as long as its
# converter is stopped; gives the rest of what is to be done.

sub begin {
    my $half = $t->connect->write($head . substr $body, 0, 100);
    my $converter = $t->converter_pid;

    ok(wait_for(sub { (() = $t->files('tmp')) == 1 }, 30), 'half of a body');
    suspend($converter);

    my $whole = $t->upload($png);

    ok(wait_for(sub { (() = $t->files('tmp')) == 4 }, 30), 'and a whole one');

    return sub {
        $half->write(substr($body, 100), 'POST');
        kill 'CONT', $converter;

        is($_->response->{status}, 201, 'is finished') for $whole, $half;
    };
}

for my $n (1, 2) {
    my ($worker) = $t->worker_pids;
    my $converter = $t->converter_pid;
    my $end = begin();

    $t->reload;
    ok(alive($worker), "reload $n: the old worker works on");

    $t->post for 1 .. 3;
    pass('the new one does, too');

    $end->();
    ok(wait_for(sub { !alive($worker) }, 30), 'the old worker ends');
    ok(wait_for(sub { !alive($converter) }, 30), 'and its converter');
}

is(scalar(() = $t->files('images')), 10, 'ten images');
is(scalar @{ ($t->walk('posts?limit=100'))[0] }, 10, 'of ten posts');


# a reload while a crashed converter is about to be started again

$t->expect_log(qr/unknown process \d+ exited on signal 9/);
kill 'KILL', $t->converter_pid;

my ($worker) = $t->worker_pids;

$t->reload;
ok(wait_for(sub { !alive($worker) }, 30), 'the old worker ends');
$t->post;


# --- quit

my ($master, $end) = ($t->nginx_pid, begin());

($worker) = $t->worker_pids;

kill 'QUIT', $master;
ok(wait_for(sub { !Imagegram::HTTP::listens($t->port) }, 30),
    'nobody is let in any more');
ok(alive($worker), 'the worker works on');

$end->();
ok(wait_for(sub { !alive($master) }, 30), 'nginx ends');
is_deeply([$t->files('tmp')], [], 'nothing remains in tmp/');

$t->start_nginx;

is(scalar @{ ($t->walk('posts?limit=100'))[0] }, 13, 'thirteen posts');
is($t->get($_->{Image})->{status}, 200, 'an image')
    for @{ $t->get('posts?limit=2')->{json}{posts} };


# --- stop: what is not finished is not there, and nothing lives on

$end = begin();
($worker) = $t->worker_pids;

my $converter = $t->converter_pid;

($master) = $t->nginx_pid;
kill 'TERM', $master;
ok(wait_for(sub { !alive($_) }, 30), 'ended') for $master, $worker, $converter;


# --- stop while Redis is asked, when there are no threads any more

$t->start_nginx;

my $originals = () = $t->files('originals');
my $u = Imagegram::Tus->create($t, $png);

suspend($t->redis_pid);

my @waiting = ($t->upload($png), $u->begin(0, $png, length $png),
    $t->connect->send($t->prepare('GET', 'posts'))->flush);

ok(wait_for(sub { (() = $t->files('originals')) == $originals + 2 }, 30),
    'Redis is asked');
select undef, undef, undef, 0.3;
$t->stop_nginx('TERM');
is($_->response->{status}, 503, 'the client is told') for @waiting;

$t->start_nginx;
kill 'CONT', $t->redis_pid;
ok(wait_for(sub { $t->get('posts/' . $u->id)->{status} == 200 }, 30),
    'the upload is finished');


# --- two services that share a storage, and nothing else

$t->reload(server => 'location /other/ {
    imagegram; imagegram_redis %%REDIS%% db=1; }', location => '/');
$t->{location} = '/other/';
$u = Imagegram::Tus->create($t, $png);
$t->{location} = '/';

my $same = Imagegram::Tus->new($t, '/uploads/' . $u->id);

is($same->head->{status}, 404, 'one service does not know the uploads');
is($same->patch(0, $png)->{status}, 404, 'of the other one');
is($same->request('DELETE')->{status}, 404, 'nor may it remove them');

my $before = $t->redis('ZCARD', 'imagegram:{0}:feed');

suspend($t->converter_pids);

my $c = $u->begin(0, $png, length $png);

ok(wait_for(sub { -e $t->storage . '/tmp/' . $u->id . '.jpeg' }, 30),
    'it is being converted');
$t->expect_log(qr/worker process \d+ exited on signal 9/,
    qr/unknown process \d+ exited on signal/);
kill 'KILL', $t->worker_pids;
ok(wait_for(sub { $t->get('/other/posts/' . $u->id)->{status} == 200 }, 60),
    'the post is made by whoever comes');
is($t->get('/posts/' . $u->id)->{status}, 404, 'where it was sent to');
is($t->redis('ZCARD', 'imagegram:{0}:feed'), $before, 'and only there');


# --- a reload while many complete uploads are found: the old worker finishes
# what it has begun, and leaves the rest, which its successor cannot do yet

my $slow = Imagegram::Image::blank_png(4000, 3000);
my @uploads = map { Imagegram::Tus->create($t, $slow) } 1 .. 12;

# and one that was sent to another path of the same storage

symlink 'storage', $t->dir . '/link';
$t->reload(server => 'location /link/ { imagegram;
    imagegram_key_prefix link; imagegram_storage %%DIR%%/link; }');
$t->{location} = '/link/';
push @uploads, Imagegram::Tus->create($t, $slow);
$t->{location} = '/';

$_->patch(0, substr $slow, 0, -1) for @uploads;

$t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});
$t->stop_redis;
is($_->patch(length($slow) - 1, substr $slow, -1)->{status}, 503,
    'complete, but no post') for @uploads;

$t->stop_nginx;
$t->start_redis;
$t->start_nginx;

my $child = wait_for(sub { ($t->conversion_pids)[0] }, 30);

suspend($child);
($worker) = $t->worker_pids;

spew($t->dir . '/broken', "#!/bin/sh\nexit 1\n");
chmod 0755, $t->dir . '/broken';
$t->reload(settings => { converters => '1 path=%%DIR%%/broken' });
kill 'CONT', $child;
ok(wait_for(sub { !alive($worker) }, 60), 'the old worker ends');

my $left = grep { !/\.info$/ } $t->files('uploads');

cmp_ok($left, '>', 0, "and leaves uploads: $left");
cmp_ok($left, '<', 13, 'but not those that it had begun');

$t->reload(settings => {});
ok(wait_for(sub { $_->post }, 60), 'a post is made') for @uploads;
ok($t->log !~ /no location any more/, 'one storage is looked through once');

done_testing();
