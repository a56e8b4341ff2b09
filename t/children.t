#!/usr/bin/perl

# Converters that crash, hang, need too much or die: one client is told, and
# nobody else notices.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(alive slurp spew suspend wait_for);
use Imagegram::Image;
use Imagegram::Tus;
use Test::More;


# takes about a second
my $slow = Imagegram::Image::blank_png(8000, 6000);
my $png = Imagegram::Image::png(8, 8);

my $t = Imagegram->new->start;

# a worker says so of a converter that was killed
$t->expect_log(qr{unknown process \d+ exited on signal 9});


# Waits for a conversion other than those known; gives its pid, stopped if so
# wished.

my %known;

sub child {
    my ($signal) = @_;

    my $pid = wait_for(sub {
        (grep { !$known{$_} } $t->conversion_pids)[0];
    }, 30) or die "nothing is converted:\n", $t->log, "\n";

    kill $signal, $pid if $signal;
    $known{$pid} = 1;

    return $pid;
}


sub is_gone {
    my ($pid, $what) = @_;
    ok(wait_for(sub { !alive($pid) }, 30), "$what is gone");
}


# A child lives on for a moment after what it made was answered, and is not
# the one that is waited for next.

sub settled {
    wait_for(sub { !$t->conversion_pids }, 30) or die "children do not end\n";
}


# Everything is as before, and posts are made.

sub serves {
    my ($what) = @_;

    settled();
    is_deeply([$t->files('tmp')], [], "$what: nothing is left in tmp/");

    my $r = $t->form('posts', [author => 'a', body => 'b', image => $png]);

    is($r->{status}, 201, "$what: the next upload is converted")
        or diag($r->{body}, $t->log(20));
    settled();
}


# --- a child that is killed

my $c = $t->upload($slow);
my $child = child('STOP');
my $nice;

# it may have been stopped before it came to that

wait_for(sub {
    ($nice) = (split ' ', slurp("/proc/$child/stat") =~ s/.*\) //sr)[16];
    return 1 if $nice > 0;

    kill 'CONT', $child;
    select undef, undef, undef, 0.002;
    suspend($child);
    return 0;
}, 10);
cmp_ok($nice, '>', 0, "a child runs at a lower priority, $nice");

kill 'KILL', $child;
is($c->response->{status}, 201, 'killed once: tried once more');
settled();

my $before = $t->stored;

$c = $t->upload($slow);
child('KILL');
child('KILL');

my $r = $c->response;

is($r->{status}, 503, 'killed twice: given up');
is($r->{headers}{'content-type'}, 'application/problem+json', 'a problem');
ok($r->{headers}{'retry-after'}, 'Retry-After');
is_deeply($t->stored, $before, 'nothing is left');
serves('after that');


# --- an upload whose image takes each of them down, while others ask for it

sub crash {
    my ($child) = @_;
    kill 'SEGV', $child;
    kill 'CONT', $child;
}

$before = $t->stored;

my $u = Imagegram::Tus->create($t, $slow);
my @asking = $u->begin(0, $slow, length $slow);

for (1 .. 3) {
    $child = child('STOP');
    push @asking, $t->connect->send($t->prepare('HEAD', $u->path,
        headers => ['Tus-Resumable' => '1.0.0']))->flush;
    select undef, undef, undef, 0.5;
    crash($child);
    crash(child('STOP'));
}

ok(wait_for(sub { ($u->head->{status} // 0) == 404 }, 30),
    'crashed six times: it is refused');
like($_->response->{status}, qr/^(?:200|410|422|503)$/, 'a clear answer')
    for @asking;
is_deeply($t->stored, $before, 'nothing is left');
serves('after that');


# --- an upload whose children are killed, which is not its image's fault

$u = Imagegram::Tus->create($t, $slow);
$c = $u->begin(0, $slow, length $slow);

for (1 .. 4) {
    child('KILL');
    child('KILL');
}

is($c->response->{status}, 503, 'killed eight times: not now');
ok(wait_for(sub { $u->post }, 60), 'but nothing is lost');
is($t->get('posts/' . $u->id)->{status}, 200, 'it is a post');
serves('after that');


# --- the parent is killed, while it is idle and while it works

for my $n (1, 2) {
    my $parent = $t->converter_pid;

    kill 'KILL', $parent;
    is_gone($parent, 'an idle converter that was killed');
    ok(wait_for(sub { $t->converter_pids }, 30), 'another one is started');
    serves("killed $n times");
}

# with a job that it has not read yet, and reaped before the worker looks: its
# number may be another's by then

my $parent = $t->converter_pid;
my ($worker) = $t->worker_pids;

suspend($parent);
$c = $t->upload($png);
ok(wait_for(sub { (() = $t->files('tmp')) == 3 }, 30), 'a job is on its way');
$t->get('posts') for 1 .. 3;
suspend($worker);
kill 'KILL', $parent;
wait_for(sub { slurp("/proc/$parent/stat") =~ /\) Z / }, 30);
kill 'CONT', $worker;
is_gone($parent, 'a converter that was killed with a job');
is($c->response->{status}, 201, 'which is tried once more');
unlike($t->log, qr/kill\(\d+\) failed/, 'nobody else is killed');
serves('after that');

$c = $t->upload($slow);
$child = child('STOP');
$parent = $t->converter_pid;

kill 'KILL', $parent;
is_gone($child, 'the child of a converter that was killed');

$r = $c->response;
like($r->{status}, qr/^(?:201|503)$/, 'a clear answer');
isnt(($t->converter_pids)[0], $parent, 'there is another converter');
serves('after that');


# so often that it is given up for a while

for (1 .. 4) {
    my $pid = $t->converter_pid;

    kill 'KILL', $pid;
    is_gone($pid, 'a converter that was killed again');
}

is($t->get('posts')->{status}, 200, 'readers do not notice');
ok(wait_for(sub {
    $t->form('posts', [author => 'a', body => 'b', image => $png])->{status}
        == 201;
}, 60), 'uploads work again by themselves');
serves('after that');


# --- the worker is killed: nothing of it lives on

$t->expect_log(qr/worker process \d+ exited on signal 9/);
$t->upload($slow);
$child = child('STOP');

($worker) = $t->worker_pids;

$parent = $t->converter_pid;
kill 'KILL', $worker;
is_gone($worker, 'the worker');
is_gone($parent, 'its converter');
is_gone($child, 'its child');

ok(wait_for(sub { $t->converter_pids }, 30), 'there is another worker');
unlink map { $t->storage . "/$_" } $t->files('tmp');
serves('after that');


# --- a child that hangs; others wait no longer than that

$t->replace_workers(settings => { converters => '1 queue=2 timeout=2s'
    . ' path=%%CONVERTER%%' });

$before = $t->stored;
$c = $t->upload($slow);
$child = child('STOP');

my $other = $t->upload($png);

is($t->get('posts')->{status}, 200, 'readers do not notice');

$r = $c->response;
is($r->{status}, 422, 'a conversion that hangs ends');
is($r->{json}{errors}[0]{field}, 'image', "by the image's fault");
like($r->{body}, qr/too long/, 'which is told');
is_gone($child, 'the child');

is($other->response->{status}, 201, 'who waited is served');
is_deeply([grep { !/images|originals/ } @{ $t->stored }],
    [map { s/:seq/:seq/r } grep { !/images|originals/ } @{ $t->stored }],
    'nothing else is left');
serves('after that');


# --- a queue that is full

$parent = $t->converter_pid;
suspend($parent);

my @admitted = map { $t->upload($png) } 1 .. 3;

ok(wait_for(sub { (() = $t->files('tmp')) == 9 }, 30), 'three are let in');

my $asked = 0;

$r = $t->request('POST', 'posts', expect => 1, length => 1000,
    body => sub { $asked++; 'x' },
    headers => ['Content-Type' => 'multipart/form-data; boundary=x']);

is($r->{status}, 503, 'the fourth is not');
ok($r->{headers}{'retry-after'}, 'Retry-After');
is_deeply($r->{interim}, [], 'without 100 Continue');
is($asked, 0, 'its body is not waited for');
is($t->get('posts')->{status}, 200, 'readers do not notice');

kill 'CONT', $parent;
is($_->response->{status}, 201, 'who was let in is converted') for @admitted;
serves('after that');


# --- a converter that does not work at all

spew($t->dir . '/broken', "#!/bin/sh\nsleep 0.1\nexit 1\n");
chmod 0755, $t->dir . '/broken';

$u = Imagegram::Tus->create($t, $png);

my $deaths = () = $t->log =~ /imagegram-convert died/g;

$t->replace_workers(settings => { converters => '1 path=%%DIR%%/broken' });

is($u->patch(0, $png)->{status}, 503, 'a complete upload, but no post');

# the more often, the longer until it is started again

ok(wait_for(sub {
    (() = $t->log =~ /imagegram-convert died/g) >= $deaths + 9;
}, 60), 'it dies again and again');

$r = $u->head;
is($r->{status}, 200, 'the upload is there');
is($r->{headers}{'upload-offset'}, length $png, 'with all of its bytes');

$t->reload(settings => { converters => '1 path=%%CONVERTER%%' });
ok(wait_for(sub { $u->post }, 30), 'a post is made once there is a converter');
is($t->get('posts/' . $u->id)->{status}, 200, 'which is served');


# --- too much memory

SKIP: {
    skip 'AddressSanitizer does not give up memory', 1 if $t->sanitized;

    $t->replace_workers(
        settings => { converters => '1 memory=1m path=%%CONVERTER%%' });

    $before = $t->stored;
    $r = $t->form('posts', [author => 'a', body => 'b', image => $slow]);

    is($r->{status}, 422, 'an image that needs too much memory is refused');
    like($r->{body}, qr/memory/, 'which is told');
    is_deeply($t->stored, $before, 'nothing is left');
}

done_testing();
