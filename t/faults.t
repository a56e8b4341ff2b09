#!/usr/bin/perl

# Each place in the module and in imagegram-convert that allocates, or calls the
# system or nginx for something that may fail, fails once: while nginx reads its
# configuration, starts, serves each kind of request, sweeps, converts.
#
#   IMAGEGRAM_FAULTS    "all": again for each kind of request, and each of the
#                       first calls from a place; minutes instead of seconds
#   IMAGEGRAM_VERBOSE   1: says what failed, and what came of it

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(remove_tree);
use File::Temp qw(tempdir);

use Imagegram qw(alive open_files spew wait_for);
use Imagegram::Failing;
use Imagegram::Image;
use Imagegram::Profile qw(iccp rgb_profile swapped);
use Imagegram::Requests;
use Imagegram::Storage qw(age complete_uploads id plant shard swept_twice);
use Imagegram::Tus;
use Test::More;


plan skip_all => 'the sanitizers\' own library must be the first one'
    if Imagegram->sanitized;

my $all = ($ENV{IMAGEGRAM_FAULTS} // '') eq 'all';
my $failing = Imagegram::Failing->new(times => $all ? 16 : 1);
my %wrong;


# What came of a call that failed; it is wrong where that is true.

sub came {
    my ($call, $what, $result, $wrong) = @_;

    my $where = $failing->where($call);

    print "# $what: $result, $where\n" if $ENV{IMAGEGRAM_VERBOSE};
    push @{ $wrong{$what} }, "$where: $result" if $wrong;
}

sub none_is_wrong {
    my ($name, $what) = @_;

    my @wrong = @{ $wrong{$what} // [] };

    ok(!@wrong, $name) or diag(join "\n", @wrong);
}

# nginx's own functions say where memory is wanting, but here did not fail

sub is_said {
    my ($call, $text) = @_;

    return $call->{name}
            =~ /alloc|shared|array|list|pool|slab|strdup|compile|conf_/
        || $text =~ /\[(?:emerg|alert|crit|error)\]/;
}


# --- nginx -t: without a storage, with one, and where defaults are used

my $conf = Imagegram->new(
    preload  => $failing->library,
    redis    => undef,
    settings => {
        cache      => undef,
        redis      => '%%REDIS%% timeout=20s',
        user       => '$remote_user',
        image_base => 'https://images.example.com/',
        sweep      => '1h',
    },
    api      => 'imagegram_cache zone=feed:1m;
        imagegram_allow_origin https://example.com https://example.org;',
    servers  => 'server {
        listen 127.0.0.1:%%PORT_2%%;
        location / {
            imagegram;
            imagegram_redis sentinel:photos 127.0.0.1:1 127.0.0.1:2;
            imagegram_storage %%DIR%%/another;
        }
    }',
);
my $defaults = Imagegram->new(
    preload  => $failing->library,
    redis    => undef,
    settings => { redis => undef, storage => undef, sweep => undef },
);

for my $t ($conf, $defaults) {
    $t->expect_log(qr/./);

    for my $fresh (1, 0) {
        my ($status, $said);

        while (my ($call) = $failing->next('m', sub {
            remove_tree(map { $t->dir . "/$_" } qw(storage another imagegram))
                if $fresh;
            ($status, $said) = $t->check_conf;
        })) {
            came($call, 'nginx -t', $status,
                $status && ($status != 1 || !is_said($call, $said)));
        }

        is($status, 0, 'nginx -t: a configuration once nothing fails')
            or diag($said);
    }
}

none_is_wrong('nginx -t: no configuration, and why; or it is done without',
    'nginx -t');


# --- the start of a worker

my $t = Imagegram->new(Imagegram::Requests::options(),
    preload => $failing->library, main => 'env LD_PRELOAD;');

$t->{servers} .= 'server {
    listen 127.0.0.1:%%PORT_3%%;
    location / {
        imagegram;
        imagegram_redis 127.0.0.1:%%PORT_4%%;
        imagegram_key_prefix other;
        imagegram_storage %%DIR%%/other;
    }
}';
$t->{redis} = ['--port', $t->port(4)];

# what happens here is said, and who is killed is killed by the test
$t->expect_log(qr/./);
$t->start_redis;

my $crash = qr/exited on signal (?!9\b)/;

sub serves {
    my $c = eval { $t->connect(timeout => 1) } or return 0;
    my $r = eval { $c->request(path => '/posts') } or return 0;

    return $r->{status} == 200;
}

sub start {
    $t->stop_nginx;
    unlink $t->dir . '/logs/error.log';
    $t->begin_nginx;

    return wait_for(sub {
        serves() ? 'serves' : !alive($t->nginx_pid) ? 'nginx ends'
            : $t->log =~ /cannot be respawned/ ? 'no worker' : '';
    }, 30);
}

while (my ($call, $end) = $failing->next('m', \&start)) {
    came($call, 'a start', $end,
        !$end || $end ne 'serves' && !is_said($call, $t->log)
            || $t->log =~ $crash);
}

none_is_wrong('a start: it serves, or says why not', 'a start');


# --- each kind of request

my $requests = Imagegram::Requests->new($t);
my ($worker) = $t->worker_pids;

# so that all that is made once is there

$t->request($requests->stage($_)) for $requests->kinds;
wait_for(sub { $t->get('/posts', port => $_)->{status} == 200 }, 10) for 2, 3;

my $open = open_files($worker);

# a child that has no memory says that of the image

my %clear = (
    m => qr/^(?:0|2..|401|404|500|503|507)$/,
    c => qr/^(?:2..|422|500|503|507)$/,
);

for my $who (qw(m c)) {
    for my $what ($requests->kinds) {
        next if $who eq 'c' && $what !~ /^(?:POST posts|PATCH)/;

        my @request = $requests->stage($what);

        $failing->forget if $all;

        while (my ($call, $r) = $failing->next($who, sub {
            $t->request(@request);
        })) {
            came($call, 'a request', "$what, $r->{status}",
                $r->{status} !~ $clear{$who} || !alive($worker));
            last if !alive($worker);
            @request = $requests->stage($what);
        }
    }
}

none_is_wrong('a request: who did not get it got a clear answer', 'a request');
is_deeply([$t->worker_pids], [$worker], 'the worker is the one that began');
ok(wait_for(sub { open_files($worker) <= $open }, 30), 'and holds nothing')
    or diag(open_files($worker), " > $open");


# --- a converter that starts again

sub post {
    my $image = Imagegram::Image::png(4, 4);

    return $t->form('posts', [body => 'x', image => $image], user => 'ann')
        ->{status};
}

while (my ($call, $done) = $failing->next('c', sub {
    kill 'KILL', $t->converter_pid;
    wait_for(sub { $failing->happened || post() == 201 }, 30);
})) {
    came($call, 'a converter', 'starts', !$done);
}

is(post(), 201, 'a converter that cannot start is started again');


# --- the sweeper

$t->replace_workers(settings => { %{ $t->{settings} }, sweep => '50ms' });
($worker) = $t->worker_pids;

while (my ($call, $done) = $failing->next('m', sub {
    my @old = map { plant($t, $_, 2) } 'tmp/' . id() . '.body',
        shard('images', id(), 'jpg'), shard('originals', id(), 'png'),
        'uploads/' . id();

    wait_for(sub {
        $failing->happened || !grep { -e $t->storage . "/$_" } @old;
    }, 30);
})) {
    came($call, 'a sweep', 'goes on', !$done || !alive($worker));
}

none_is_wrong('what one sweep does not do another one does', 'a sweep');


# --- who takes over where a worker was killed

$failing->forget if $all;

while ($all) {
    my $image = Imagegram::Image::png(4, 4);
    my $upload = Imagegram::Tus->create($t, $image, user => 'ann');
    my $path = $t->storage . '/uploads/' . $upload->id;

    # all bytes are there, and nobody makes a post of them
    $upload->patch(0, substr($image, 0, -1), user => 'ann');
    open my $file, '>>:raw', $path or die "$path: $!\n";
    syswrite $file, substr $image, -1;

    my ($call, $done) = $failing->next('m', sub {
        kill 'KILL', $t->worker_pids;
        wait_for(sub { $failing->happened || !-e $path }, 30);
    }) or last;

    came($call, 'a recovery', 'goes on', !$done);

    # it may have ended at its start, for good
    $t->stop_nginx;
    $t->start_nginx;
}

none_is_wrong('an upload that is complete becomes a post', 'a recovery')
    if $all;


# --- a child, by hand, for each format

my $folder = tempdir(CLEANUP => 1);
my $profile = rgb_profile(swapped());
my $photo = Imagegram::Image::jpeg(64, 48);
my %pictures = (
    PNG         => Imagegram::Image::png(9, 9, type => 6, chunks => [
        [gAMA => pack 'N', 90000]]),
    profile     => Imagegram::Image::png(9, 9, chunks => [iccp($profile)]),
    palette     => Imagegram::Image::png(9, 9, type => 3),
    interlaced  => Imagegram::Image::png(9, 9, interlaced => 1),
    BMP         => Imagegram::Profile::bmp($profile, 0x4d424544, 124 + 3 * 64,
        length $profile),
    JPEG        => Imagegram::Image::with_segments($photo,
        Imagegram::Image::exif(6), [0xe2, "ICC_PROFILE\0\1\1$profile"]),
    progressive => Imagegram::Image::jpeg(64, 48, options => ['-progressive']),
);

# a child of nginx's has failed in all this before

$failing->forget;

for my $what (sort keys %pictures) {
    spew("$folder/in", $pictures{$what});
    $failing->forget if $all;

    while (my ($call, $said) = $failing->next('c', sub {
        `LD_PRELOAD=@{[ $failing->library ]} timeout 20 @{[ $t->converter
            ]} $folder/in $folder/out 2>&1`;
    })) {
        my $status = $? & 127 ? "signal $?" : $? >> 8;

        came($call, 'by hand', "$what, $status",
            $status !~ /^[012]$/ || $status && $said !~ /\S/);
    }
}

none_is_wrong('by hand, it says what is wrong', 'by hand');


# --- afterwards

cmp_ok($failing->places('m'), '>', 200, 'so much of the module failed');
cmp_ok($failing->places('c'), '>', 50, 'and of imagegram-convert');
ok(wait_for(sub { !complete_uploads($t) }, 60), 'uploads are posts');
ok(wait_for(sub { !$t->conversion_pids }, 30), 'nothing is being converted');
unlike($t->log, $crash, 'nobody has crashed');
age($t, 2, $t->files);
swept_twice($t);

my $check = join ' ', $t->top . '/script/check-storage', '--redis',
    'unix:' . $t->redis_socket, $t->storage;
my $said = `$check 2>&1`;

is($?, 0, 'storage and Redis fit together') or diag($said);

my ($posts) = $t->walk('posts?limit=100');

is((grep { $t->get($_->{Image})->{status} != 200 } @$posts), 0,
    'each post has its image');
diag(join ', ', map { $failing->places($_) } qw(m c)) if $all;

done_testing();
