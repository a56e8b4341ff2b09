#!/usr/bin/perl

# nginx's processes other than workers: there may be no master, or some that
# serve nobody; and nginx may have the module, but no API.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(alive wait_for);
use Imagegram::HTTP;
use Imagegram::Process qw(children cmdline);
use Test::More;


# The connections that Redis has, but the one that asks

sub connections {
    my ($t) = @_;
    return -1 + (() = $t->redis(qw(CLIENT LIST)) =~ /^id=/mg);
}

# A moment later: somebody may be at it still.

sub becomes {
    my ($code, $n, $name) = @_;

    wait_for(sub { $code->() == $n }, 30);
    is($code->(), $n, $name);
}


# --- without a master

my $t = Imagegram->new(main => 'master_process off;',
    settings => { cache => 'off' });

$t->start_redis;
$t->begin_nginx;
ok(wait_for(sub { Imagegram::HTTP::listens($t->port) }, 30), 'no master');

my $post = $t->post;

is($t->get($post->{Image})->{status}, 200, 'a post with its image');
is($t->comment($post->{PostID})->{Body}, 'wow', 'a comment');
is(connections($t), 1, 'one connection to Redis');

my $nginx = $t->nginx_pid;

$t->stop_nginx('QUIT');
ok(!alive($nginx), 'it leaves');
becomes(sub { connections($t) }, 0, 'and its connection is closed');
$t->finish;


# --- the cache manager and the cache loader

$t = Imagegram->new(workers => 2, settings => { cache => 'off' },
    http => 'proxy_cache_path %%DIR%%/tmp/cached keys_zone=cached:1m;')->start;

ok(wait_for(sub {
    grep { cmdline($_) =~ /cache (?:manager|loader)/ } children($t->nginx_pid);
}, 30), 'a process that is no worker');
$t->post;
becomes(sub { connections($t) }, 2,
    'each worker has a connection, and nobody else');
becomes(sub { scalar(() = $t->converter_pids) }, 2, 'and a converter');
is((() = grep { cmdline($_) =~ /imagegram-convert/ } map { children($_) }
    children($t->nginx_pid)), 2, 'that nobody else has');

my @processes = children($t->nginx_pid);

$t->stop_nginx('QUIT');
is_deeply([grep { alive($_) } @processes], [], 'all of them leave');
$t->finish;


# --- nothing of it in use

my %confs = (
    'no location has the API' => 'http {
        imagegram_redis %%REDIS%%;
        imagegram_storage %%DIR%%/storage;
        client_body_temp_path %%DIR%%/tmp/body;
        proxy_temp_path %%DIR%%/tmp/proxy;
        fastcgi_temp_path %%DIR%%/tmp/fastcgi;
        uwsgi_temp_path %%DIR%%/tmp/uwsgi;
        scgi_temp_path %%DIR%%/tmp/scgi;
        access_log off;
        server {
            listen 127.0.0.1:%%PORT%%;
            location / { return 200 plain; }
        }
    }',
    'there is no HTTP' => '',
);

for my $name (sort keys %confs) {
    $t = Imagegram->new;
    $t->{conf} = Imagegram::Conf::preamble($t) . "events { }\n$confs{$name}\n";
    $t->start_redis;
    $t->begin_nginx;
    ok(wait_for(sub { $t->worker_pids }, 30), "$name: nginx runs");

    if ($confs{$name}) {
        wait_for(sub { Imagegram::HTTP::listens($t->port) }, 30);
        is($t->get('/')->{body}, 'plain', 'and serves what else there is');
    }

    is(connections($t), 0, 'no connection to Redis');
    is((() = $t->converter_pids), 0, 'no converter');

    my ($worker) = $t->worker_pids;

    $t->stop_nginx('QUIT');
    ok(!alive($worker), 'it leaves');
    $t->finish;
}

done_testing();
