#!/usr/bin/perl

# Without the cache: those who ask for the same page at the same time share what
# Redis is asked, but nobody gets a page that was read before they asked.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Imagegram qw(suspend wait_for);
use Imagegram::RedisProxy;


my $t = Imagegram->new(
    workers  => 1,
    settings => {
        cache => 'off',
        redis => 'unix:%%DIR%%/proxy.sock timeout=20s',
    },
    servers  => 'server {
        listen 127.0.0.1:%%PORT_2%%;
        location / {
            imagegram;
            imagegram_key_prefix other;
            imagegram_storage %%DIR%%/other;
        }
    }',
);

$t->start_redis;

my $proxy = Imagegram::RedisProxy->new($t->dir . '/proxy.sock',
    $t->redis_socket);

$t->start_nginx;

my @posts = reverse $t->seed(30);

$t->get('posts');    # Redis knows the script then


# Clients, connected and known to the worker, each with the path it asks for;
# all that they ask for arrives in one turn of the event loop

sub at_once {
    my (@paths) = @_;

    my ($worker) = $t->worker_pids;
    my @clients = map {
        my ($port, $path) = /^(\d:)?(.*)/;
        my $client = $t->connect($port ? (port => $t->port(2)) : ());

        $client->request(path => '/none');
        [$client, $path];
    } @paths;

    suspend($worker);
    $_->[0]->send(path => $_->[1])->flush for @clients;
    kill 'CONT', $worker;

    return map { $_->[0] } @clients;
}

sub scripts { $proxy->seen('EVAL') }


my $before = scripts();
my @bodies = map { $_->response->{body} } at_once(('/posts?limit=7') x 20);

is(scripts() - $before, 1, 'twenty who ask for a page at once: one command');
is($bodies[0], $t->get('posts?limit=7')->{body}, 'they get that page');
is_deeply(\@bodies, [($bodies[0]) x 20], 'each of them');

$before = scripts();

my ($next) = $bodies[0] =~ /"nextPage":"(\w+)"/;
my @different = ('/posts?limit=7', '/posts?limit=8',
    "/posts?limit=7&nextPage=$next", '2:/posts?limit=7');
my @got = map { $_->response->{body} } at_once(map { ($_) x 3 } @different);
my %different = map { $_ => 1 } @got;

is(scripts() - $before, 4, 'other pages, and other posts, are not shared');
is(keys %different, 4, 'each gets its own');
is($got[-1], '{"posts":[]}', 'as the location has it');


# some leave before it is there, also the one who came first

$proxy->hold_replies('+inf');

my @clients = at_once(('/posts?limit=9') x 20);

ok(wait_for(sub { $proxy->held }, 20), 'Redis has read a page');

$_->close for splice @clients, 0, 5;
$_->close for splice @clients, -5;
$t->get('none') for 1 .. 3;    # the worker sees them leave
$proxy->release;

is_deeply([map { $_->response->{status} } @clients], [(200) x 10],
    'half of those who wait leave: the others are answered');

$proxy->hold_replies('+inf');
@clients = at_once(('/posts?limit=9') x 5);
ok(wait_for(sub { $proxy->held }, 20), 'Redis has read a page');
$_->close for @clients;
$t->get('none') for 1 .. 3;
$proxy->release;
is($t->get('posts?limit=9')->{status}, 200, 'all leave: nobody minds');


# what Redis may have read already is not for those who come later

$proxy->hold_replies('+inf');

my ($early) = at_once('/posts');

ok(wait_for(sub { $proxy->held }, 20), 'Redis has read a page');

my ($post) = $t->seed(1);
my ($late) = at_once('/posts');

$proxy->release;

unlike($early->response->{body}, qr/$post/, 'who came before a post misses it');
like($late->response->{body}, qr/$post/, 'who comes after it has it');


# no answer is for all of them

$proxy->hold_replies('+inf');
@clients = at_once(('/posts') x 5);
ok(wait_for(sub { $proxy->held }, 20), 'Redis has read a page');
$proxy->cut('+inf');
is_deeply([map { $_->response->{status} } @clients], [(503) x 5],
    'Redis is lost: all are told');

done_testing();
