#!/usr/bin/perl

# Uploads that are interrupted: whatever reached nginx counts, the last byte
# makes the post, once, and whoever comes later takes over.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);

use Imagegram qw(slurp suspend wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Tus qw(create_request);
use Test::More;


my $t = Imagegram->new(workers => 2, users => { ann => 'a', ben => 'b' },
    settings => { redis => '%%REDIS%% connect_timeout=1s timeout=1s' },
    api => 'client_body_timeout 3s;', server => '
    location /open/ {
        imagegram;
        imagegram_key_prefix open;
    }')->start;

my $bmp = Imagegram::Image::bmp(300, 300);
my $size = length $bmp;

my @ann = (user => 'ann', fields => [body => 'x']);

# A new upload of ann's; all of its requests are hers.

sub upload {
    my ($image) = @_;

    my $u = Imagegram::Tus->create($t, $image // $bmp, @ann);

    $u->{user} = 'ann';

    return $u;
}

{
    no warnings 'redefine';

    my $request = \&Imagegram::Tus::request;

    *Imagegram::Tus::request = sub {
        my ($self, $method, %options) = @_;
        return $request->($self, $method, user => $self->{user}, %options);
    };
}

# How much is there, without asking: HEAD would take the upload over.

sub received {
    my ($u, $size, $what) = @_;

    my $path = $t->storage . '/uploads/' . $u->id;

    ok(wait_for(sub { (-s $path // -1) == $size }, 30), $what)
        or diag(-s $path);
}

sub original_is {
    my ($u, $image, $what) = @_;

    my $id = $u->id;
    my ($path) = grep { /$id/ } $t->files('originals');

    ok($path && slurp($t->storage . "/$path") eq $image, $what);
}

my @auth = (headers =>
    [Authorization => Imagegram::HTTP::basic('ann', 'a')]);


# --- whose it is

my $u = upload();

is_problem($u->request('PATCH', $u->chunk(0, 'x'), user => undef), 401,
    'nobody');

for my $method (qw(HEAD DELETE)) {
    is($u->request($method, user => 'ben')->{status}, 404,
        "$method by somebody else");
}

is_problem($u->request('PATCH', $u->chunk(0, 'x'), user => 'ben'), 404,
    'PATCH by somebody else');
is($u->offset, 0, 'it is still there');
is_problem(create_request($t, 10, user => 'ann',
    fields => [author => 'ben', body => 'x']), 403, 'in another name');
$u->request('DELETE');


# --- a connection breaks

for my $reset (0, 1) {
    $u = upload();

    my $c = $u->begin(0, $bmp, 100_000, @auth);

    received($u, 100_000, 'what reached nginx counts');
    $c->close($reset);
    is($u->offset, 100_000, 'after the connection has gone, too');

    $c = $u->begin(100_000, substr($bmp, 100_000), 5, @auth);
    $reset ? received($u, 100_005, 'a few more') : $c->close;
    received($u, 100_005, 'and what comes with the end');
    $c->close($reset) if $reset;
    is($u->patch(100_005, substr $bmp, 100_005)->{status}, 204, 'the rest');
    original_is($u, $bmp, 'every byte is there');
}

# the client sends the last byte and leaves

for my $reset (0, 1) {
    $u = upload();
    my $c = $u->begin(0, $bmp, $size, @auth);

    ok(wait_for(sub { !-e $t->storage . '/uploads/' . $u->id
        || -s _ == $size }, 30), 'the last byte') if $reset;
    $c->close($reset);

    ok(wait_for(sub { $t->get('posts/' . $u->id)->{status} == 200 }, 30),
        'nobody waits, and the post is made');
    is($u->post, '/posts/' . $u->id, 'HEAD names it');
    is($u->patch($size, '')->{headers}{'content-location'},
        '/posts/' . $u->id, 'so does a repeated PATCH');
    is_problem($u->patch(0, $bmp), 409, 'which changes nothing');
    original_is($u, $bmp, 'every byte is there');
}

# a client that stops sending is cut off, and can go on

$u = upload();

my $c = $u->begin(0, $bmp, 70_000, @auth);
my $r = $c->response;

ok($c->closed(30), 'idle for too long: the connection ends');
is($u->offset, 70_000, 'what it brought counts');

# one that is slow is not, however long it takes

$c = $u->begin(70_000, substr($bmp, 70_000), 0, @auth);

for my $n (1 .. 5) {
    select undef, undef, undef, 1;
    $c->write(substr $bmp, 70_000 + $n - 1, 1);
}

ok(!$c->closed(0), 'slower than the timeout in all: the connection stays');
$c->write(substr $bmp, 70_005);
is($c->response->{status}, 204, 'it ends well');
original_is($u, $bmp, 'every byte is there');


# --- takeover

# from the other worker or the same one: both, sooner or later

for (1 .. 6) {
    $u = upload();

    my $old = $u->begin(0, $bmp, 50_000, @auth);

    received($u, 50_000, 'half open');

    my $new = $u->begin(50_000, substr($bmp, 50_000), 10_000, @auth);

    received($u, 60_000, 'the new one writes');
    $old->write(substr $bmp, 50_000);
    is($old->response->{status}, 409, 'the old one is told') if $_ % 2;

    my $at = $u->offset;

    is($at, 60_000, 'and writes no more');
    $new->write(substr $bmp, 60_000);
    is($new->response->{status}, 409, 'HEAD has taken over from the new one');
    is($u->patch($at, substr $bmp, $at)->{status}, 204, 'the rest');
    original_is($u, $bmp, 'no byte twice or out of place');
    $old->close;
}

# a chunk with a checksum that is taken over does not count, whatever the old
# one is doing that very moment

for (1 .. 20) {
    $u = upload();
    $c = $u->begin(0, $bmp, 50_000, @auth, sha1 => sha1_hex($bmp));
    1 until -s $t->storage . '/uploads/' . $u->id;
    is($u->offset, 0, 'taken over');
    is(-s $t->storage . '/uploads/' . $u->id, 0, 'and dropped');
    $u->request('DELETE');
}


# --- a worker is killed

$t->expect_log(qr/worker process \d+ exited on signal 9/);

for (1 .. 3) {
    $u = upload();
    $c = $u->begin(0, $bmp, 200_000, @auth);
    received($u, 200_000, 'half way');
    kill 'KILL', $t->worker_pids;
    ok(wait_for(sub { eval { ($u->offset // 0) == 200_000 } }, 30),
        'the workers are killed, what was received counts');
    is($u->patch(200_000, substr $bmp, 200_000)->{status}, 204, 'the rest');
    original_is($u, $bmp, 'every byte is there');
}

# with all bytes there, while the post is being made

$u = upload();
suspend($t->converter_pids);
$c = $u->begin(0, $bmp, $size, @auth);
ok(wait_for(sub { -e $t->storage . '/tmp/' . $u->id . '.jpeg' }, 30),
    'it is being converted');
$t->expect_log(qr/imagegram-conv/, qr/unknown process \d+ exited on signal/);
kill 'KILL', $t->worker_pids;
ok(wait_for(sub { eval { $t->get('posts/' . $u->id)->{status} == 200 } }, 30),
    'the workers are killed, new ones make the post');
ok(wait_for(sub { !$t->files('tmp') }, 30), 'nothing is left in tmp/');
original_is($u, $bmp, 'every byte is there');

# a worker that is about to leave after a reload, for which nobody comes

$u = upload();

my @old = $t->worker_pids;

suspend($t->converter_pids);
$c = $u->begin(0, $bmp, 1000, @auth);
received($u, 1000, 'the first bytes');
$t->reload;

# the new ones have looked what there is to finish
select undef, undef, undef, 1.5;
$c->write(substr $bmp, 1000);
ok(wait_for(sub { -e $t->storage . '/tmp/' . $u->id . '.jpeg' }, 30),
    'it is being converted');
kill 'KILL', @old;
ok(wait_for(sub { eval { $t->get('posts/' . $u->id)->{status} == 200 } }, 60),
    'an old worker is killed, the others make the post');
original_is($u, $bmp, 'every byte is there');

# nginx is stopped meanwhile, and started again

$u = upload();
suspend($t->converter_pids);
$c = $u->begin(0, $bmp, $size, @auth);
ok(wait_for(sub { -e $t->storage . '/tmp/' . $u->id . '.jpeg' }, 30),
    'it is being converted');
$t->stop_nginx('TERM');
$t->start_nginx;
ok(wait_for(sub { $t->get('posts/' . $u->id)->{status} == 200 }, 30),
    'nginx starts, and makes the post');
original_is($u, $bmp, 'every byte is there');


# --- HEAD and PATCH wait for whoever makes the post

$u = upload();
my @converters = $t->converter_pids;
suspend(@converters);
$c = $u->begin(0, $bmp, $size, @auth);
ok(wait_for(sub { -e $t->storage . '/tmp/' . $u->id . '.jpeg' }, 30),
    'it is being converted');

my @waiting = map { $t->connect->send($t->prepare($_, $u->path, user => 'ann',
    headers => ['Tus-Resumable' => '1.0.0', 'Upload-Offset' => $size],
    length => 0))->flush } qw(HEAD PATCH HEAD PATCH DELETE);

select undef, undef, undef, 0.3;
ok(!$_->closed(0) && !@{ $_->{responses} }, 'a request waits') for @waiting;
kill 'CONT', @converters;

my $delete = pop @waiting;

is($delete->response->{status}, 204, 'DELETE is answered');

# DELETE may have come before any of them

for (@waiting) {
    $r = $_->response;
    ok(($r->{headers}{'content-location'} // '') eq '/posts/' . $u->id
        || $r->{status} == 404, 'and so are the others');
}

is($c->response->{headers}{'content-location'}, '/posts/' . $u->id,
    'the one that brought the last byte');
is($t->get('posts/' . $u->id)->{status}, 200, 'the post stays');


# --- Redis is away

$t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});
$u = upload();
$t->stop_redis;

is($u->patch(0, substr $bmp, 0, 1000)->{status}, 204, 'PATCH works');
is($u->offset, 1000, 'so does HEAD');

my $v = upload();

is($v->offset, 0, 'and creation');
$r = $u->patch(1000, substr $bmp, 1000);
is_problem($r, 503, 'the last byte waits');
ok($r->{headers}{'retry-after'}, 'Retry-After');
is($u->head->{status}, 200, 'HEAD does not fail');
is($u->offset, $size, 'it is complete');
ok(!$u->post, 'without a post');
is_problem($u->patch($size, ''), 503, 'an empty PATCH says so');

# a creation that failed would be sent again, and make a second post

$r = create_request($t, $size, @ann, body => $bmp);
is($r->{status}, 201, 'one with all bytes is created');
is($r->{headers}{'upload-offset'}, $size, 'it is complete');
ok(!$r->{headers}{'content-location'}, 'without a post');

my $w = Imagegram::Tus->new($t, $r->{headers}{location});

$t->start_redis;
ok(wait_for(sub { $t->get('posts/' . $u->id)->{status} == 200 }, 30),
    'Redis is back, and the post is there');
original_is($u, $bmp, 'every byte is there');
ok(wait_for(sub { $t->get('posts/' . $w->id)->{status} == 200 }, 30),
    'and the other one');
is($v->patch(0, $bmp)->{status}, 204, 'a third one');

# it hangs with the script sent: once it goes on, there is one post

$u = upload();
suspend($t->redis_pid);
is_problem($u->patch(0, $bmp), 503, 'Redis hangs: 503');
kill 'CONT', $t->redis_pid;
ok(wait_for(sub { ($u->post // '') eq '/posts/' . $u->id }, 30),
    'and when it goes on the upload is finished');
is(scalar(grep { $_->{PostID} eq $u->id }
    @{ ($t->walk('posts?limit=100'))[0] }), 1, 'with one post');


# it answers, and refuses: no memory, a replica

for my $case (
    [[qw(CONFIG SET maxmemory 1)],   [qw(CONFIG SET maxmemory 0)]],
    [[qw(REPLICAOF 127.0.0.1 1)],    [qw(REPLICAOF NO ONE)]],
) {
    my ($refuse, $accept) = @$case;

    $u = upload();
    $t->redis(@$refuse);
    is_problem($u->patch(0, $bmp), 503, "@$refuse: 503");
    is($u->offset, $size, 'the upload is complete');
    $t->redis(@$accept);
    ok(wait_for(sub { ($u->post // '') eq '/posts/' . $u->id }, 30),
        "@$accept: and finished");
    original_is($u, $bmp, 'every byte is there');
}

# its post was made, and deleted before anybody noted that

$u = upload();
$t->redis('SET', 'imagegram:{0}:buried:' . $u->id, 1);
is($u->patch(0, $bmp)->{headers}{'content-location'}, '/posts/' . $u->id,
    'a post that is buried was made');
is($t->get('posts/' . $u->id)->{status}, 404, 'and is not made again');


# --- all posts have their files, nothing else is there

my @posts = @{ ($t->walk('posts?limit=100'))[0] };

is(scalar(() = $t->files('images')), @posts, 'an image each');
is(scalar(() = $t->files('originals')), @posts, 'an original each');
is_deeply([grep { !/\.info$/ } $t->files('tmp', 'uploads')], [],
    'nothing is left of uploads') or diag(join "\n", $t->files('uploads'));

done_testing();
