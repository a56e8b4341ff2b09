#!/usr/bin/perl

# Idempotency-Key: a request that is sent again has one effect, and the first
# answer again, whoever answers it and however the first one ended.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);

use Imagegram qw(suspend wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new(
    workers  => 2,
    users    => { ann => 'a', ben => 'b' },
    settings => { redis => '%%REDIS%% timeout=5s' },
    server   => '
    location /open/ {
        imagegram;
        imagegram_key_prefix open;
    }')->start;

my $png = Imagegram::Image::png(8, 8);
my $bmp = Imagegram::Image::bmp(9, 9);
my $post = $t->post(user => 'ann')->{PostID};
my @before = $t->files;
my $keys = 0;

sub key { 'key-' . ++$keys }

sub make {
    my ($key, %options) = @_;

    my $image = delete $options{image} // $png;
    my $body = delete $options{text} // 'x';
    my $user = exists $options{user} ? delete $options{user} : 'ann';

    return $t->form(delete $options{path} // 'posts',
        [body => $body, image => $image], user => $user, %options,
        headers => ['Idempotency-Key' => $key]);
}

sub comment {
    my ($key, %options) = @_;

    my $body = delete $options{text} // 'wow';

    return $t->json(delete $options{path} // "posts/$post/comments",
        { body => $body }, user => delete $options{user} // 'ann', %options,
        headers => ['Idempotency-Key' => $key]);
}

sub posts    { scalar @{ ($t->walk('posts?limit=100'))[0] } }
sub comments { scalar @{ ($t->walk("posts/$post/comments?limit=100"))[0] } }

sub same {
    my ($r, $first, $what) = @_;

    is($r->{status}, 201, $what);
    is($r->{body}, $first->{body}, "$what: the same answer");
    is($r->{headers}{location}, $first->{headers}{location},
        "$what: the same Location");
}


# --- a post

my $key = key();
my $first = make($key);

is($first->{status}, 201, 'the first');

my @made = $t->files;

same(make($key), $first, 'again') for 1 .. 3;
is_problem(make($key, text => 'y'), 422, 'with another text');
is_problem(make($key, image => $bmp), 422, 'with another image');
is(posts(), 2, 'one post was made');
is_deeply([$t->files], \@made, 'with one image and one original');

# as JSON it is the same content

use MIME::Base64 qw(encode_base64);

same($t->json('posts', { body => 'x', image_contents =>
    encode_base64($png, '') }, user => 'ann',
    headers => ['Idempotency-Key' => $key]), $first, 'as JSON');
same($t->json('posts', { author => 'ann', body => 'x', image_contents =>
    encode_base64($png, '') }, user => 'ann',
    headers => ['Idempotency-Key' => $key]), $first, 'with the author');

# a comment does not change what the first answer was

$t->comment($first->{json}{PostID}, user => 'ben');
same(make($key), $first, 'after a comment');
is($t->delete($first->{headers}{location}, user => 'ann')->{status}, 204,
    'the post is deleted');
same(make($key), $first, 'that was the answer');
is($t->get($first->{headers}{location})->{status}, 404, 'it stays deleted');
is_deeply([$t->files], \@before, 'nothing is left');

# its scope: user, method and path

my $other = make($key, user => 'ben');

is($other->{status}, 201, 'the key of somebody else');
isnt($other->{headers}{location}, $first->{headers}{location},
    'is another one');
is(comment($key)->{status}, 201, 'and so is one for a comment');
is($t->form('/open/posts', [author => 'c', body => 'x', image => $png],
    headers => ['Idempotency-Key' => $key])->{status}, 201,
    'or for another location');

my $ttl = (sort { $a <=> $b } map { $t->redis('TTL', $_) }
    @{ $t->redis('KEYS', '*:idem:*') })[0];

ok($ttl > 86_000 && $ttl <= 86_400, 'it is remembered for a day');

for my $wrong ('', 'x' x 256, "a b", "\xc3\xa4", "a\tb") {
    is_problem(make($wrong), 400, 'not a key');
    is_problem(comment($wrong), 400, 'nor for a comment');
}

is(make('x' x 255)->{status}, 201, '255 characters');
is(make('!"#$%&~')->{status}, 201, 'visible ones');


# --- what failed is not remembered

$key = key();
is_problem(make($key, text => ''), 422, 'refused');
is_problem(make($key, image => 'GIF89a'), 415, 'refused again');
is_deeply([map {
    make($key, text => '');
    scalar @{ $t->redis('KEYS', '*:idem:*') };
} 1 .. 20], [(6) x 20], 'no key is left by then');
is(make($key)->{status}, 201, 'the key is still good');

$key = key();
is_problem(comment($key, text => ''), 422, 'a comment, likewise');
is_problem(comment($key, path => 'posts/' . '0' x 8 . '-0000-4000-8000-'
    . '0' x 12 . '/comments'), 404, 'on no post');
is(comment($key)->{status}, 201, 'and then made');


# --- comments

my $n = comments();

$key = key();
$first = comment($key);
same(comment($key), $first, 'a comment again') for 1 .. 3;
is_problem(comment($key, text => 'other'), 422, 'with another text');
is(comments(), $n + 1, 'one comment');
$t->delete($first->{headers}{location}, user => 'ann');
same(comment($key), $first, 'after it was deleted');
is(comments(), $n, 'it stays deleted');


# --- while the first one runs

$key = key();
suspend($t->converter_pids);

my $c = $t->connect->send($t->prepare('POST', 'posts', user => 'ann',
    @{ [do {
        my ($type, $body) = Imagegram::Body::multipart(body => 'x',
            image => $png);
        (body => $body, headers => ['Content-Type' => $type,
            'Idempotency-Key' => $key])
    }] }))->flush;

ok(wait_for(sub { $t->files('tmp') }, 30), 'one is running');

my $asked = 0;
my $r = $t->request('POST', 'posts', user => 'ann', expect => 1,
    length => 1000, body => sub { $asked++; 'x' }, headers => [
        'Content-Type' => 'multipart/form-data; boundary=x',
        'Idempotency-Key' => $key ]);

is_problem($r, 409, 'the same key meanwhile');
is($asked, 0, 'said before the body is read');

my ($record) = grep { $t->redis('HEXISTS', $_, 'token') }
    @{ $t->redis('KEYS', '*:idem:*') };
my $lease = $t->redis('PTTL', $record);

ok($lease > 0 && $lease <= 30_000, 'its lease is 30 s');
kill 'CONT', $t->converter_pids;
$first = $c->response;
is($first->{status}, 201, 'it is made');
same(make($key), $first, 'and known');
ok($t->redis('TTL', $record) > 86_000, 'for a day');

# it is renewed as long as that takes

$key = key();

my ($form_type, $slow) = Imagegram::Body::multipart(body => 'x',
    image => $png);

$c = $t->connect->write(join("\r\n", 'POST /posts HTTP/1.1',
    'Host: localhost', 'Authorization: ' . Imagegram::HTTP::basic('ann', 'a'),
    "Idempotency-Key: $key", "Content-Type: $form_type",
    'Content-Length: ' . length $slow, '', '') . substr $slow, 0, 100);
($record) = wait_for(sub {
    (grep { $t->redis('HEXISTS', $_, 'token') }
        @{ $t->redis('KEYS', '*:idem:*') })[0];
}, 30);
$t->redis('PEXPIRE', $record, 20_000);
ok(wait_for(sub { $t->redis('PTTL', $record) > 20_000 }, 19),
    'its lease is renewed');
$c->write(substr($slow, 100), 'POST');
is($c->response->{status}, 201, 'it is made, however slowly');

# the client has left, the answer is lost

$key = key();
$n = posts();
suspend($t->converter_pids);

my ($type, $form) = Imagegram::Body::multipart(body => 'x', image => $png);
my @lost = (user => 'ann', body => $form, headers => ['Content-Type' => $type,
    'Idempotency-Key' => $key]);

$c = $t->connect->send($t->prepare('POST', 'posts', @lost))->flush;
ok(wait_for(sub { $t->files('tmp') }, 30), 'one is running');
$c->close(1);
kill 'CONT', $t->converter_pids;

ok(wait_for(sub { make($key)->{status} == 201 }, 30), 'asked for again');
is(posts(), $n + 1, 'one post');

# nginx is restarted, Redis is restarted

$first = make($key);
$t->stop_nginx;
$t->stop_redis;
$t->start_redis;
$t->start_nginx;
same(make($key), $first, 'after a restart');

# the worker is killed: the lease ends by itself

$t->expect_log(qr/worker process \d+ exited on signal 9/);
$key = key();
suspend($t->converter_pids);
$lost[-1][-1] = $key;
$c = $t->connect->send($t->prepare('POST', 'posts', @lost))->flush;
ok(wait_for(sub { $t->files('tmp') }, 30), 'one is running');
kill 'KILL', $t->worker_pids;
ok(wait_for(sub { eval { $t->get('posts?limit=1')->{status} == 200 } }, 30),
    'the workers are killed');
is_problem(make($key), 409, 'its lease goes on');
($record) = grep { $t->redis('HEXISTS', $_, 'token') }
    @{ $t->redis('KEYS', '*:idem:*') };
$t->redis('PEXPIRE', $record, 1);
ok(wait_for(sub { !$t->redis('EXISTS', $record) }, 30), 'and ends');
is(make($key)->{status}, 201, 'then the key is good');
unlink map { $t->storage . "/$_" } $t->files('tmp');


# --- Redis hangs with the script sent: a retry finds out

$key = key();
$n = comments();
suspend($t->redis_pid);
is_problem(comment($key), 503, 'Redis hangs');
kill 'CONT', $t->redis_pid;
is(comment($key)->{status}, 201, 'a retry');
is(comments(), $n + 1, 'one comment');

# likewise with a key reserved, which does not stay so

$key = key();
$n = posts();
suspend($t->redis_pid);
is_problem(make($key), 503, 'Redis hangs before a post');
kill 'CONT', $t->redis_pid;
ok(wait_for(sub { make($key)->{status} == 201 }, 15),
    'a retry need not wait for the lease to end');
is(posts(), $n + 1, 'one post');


# --- a thousand comments, each sent twice at a time

$n = comments();

my @pairs = map { my $key = key(); [$key, $_] } 1 .. 1000;
my (%ids, %answers);

while (my @some = splice @pairs, 0, 50) {
    my @connections;

    for my $pair (@some, @some) {
        my ($key, $text) = @$pair;

        push @connections, $t->connect->send($t->prepare('POST',
            "posts/$post/comments", user => 'ann',
            json => { body => "comment $text" },
            headers => ['Idempotency-Key' => $key]));
        $connections[-1]{text} = $text;
    }

    Imagegram::HTTP::run(\@connections, 60);

    for my $c (@connections) {
        my $r = $c->response;

        $answers{ $r->{status} }++;
        $ids{ $c->{text} }{ $r->{json}{CommentID} // '' }++;
    }
}

is_deeply(\%answers, { 201 => 2000 }, 'two thousand answers');
is(comments(), $n + 1000, 'a thousand comments');
is(scalar(grep { keys %$_ == 1 } values %ids), 1000,
    'both answers of a pair are the same');


# --- what is refused while Redis is away is told so, whatever its key becomes

my @parents = $t->converter_pids;

suspend(@parents);

my @known = $t->files('tmp');
my $refused = $t->connect->send($t->prepare('POST', 'posts', user => 'ann',
    json => { body => 'x', image_contents => encode_base64('GIF89a', '') },
    headers => ['Idempotency-Key' => key()]));

$refused->flush;
ok(wait_for(sub { (() = $t->files('tmp')) == @known + 3 }, 30),
    'an image to be converted');
$t->expect_log(qr/connect\(\) to unix:.* failed/);
$t->stop_redis;
ok(wait_for(sub {
    my @statuses = map { $t->get('posts')->{status} } 1 .. 10;
    return !grep { $_ != 503 } @statuses;
}, 30), 'each worker knows that Redis is away');
kill 'CONT', @parents;
is_problem($refused->response, 415, 'it is none');
is_deeply([$t->files('tmp')], \@known, 'nothing is left');

done_testing();
