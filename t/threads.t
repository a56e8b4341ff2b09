#!/usr/bin/perl

# The threads that wait for the disk are busy, and no more work is taken for
# them: who needs one is told 503, everybody else does not notice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use POSIX ();
use Time::HiRes qw(sleep);

use Imagegram qw(alive suspend wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Storage qw(id plant);
use Imagegram::Tus qw(create_request);
use Test::More;


# one thread, for which four may wait; later many
my %pool = (
    full  => 'thread_pool default threads=1 max_queue=4;',
    roomy => 'thread_pool default threads=1 max_queue=100;',
);

my $t = Imagegram->new(main => $pool{full}, http => 'lingering_timeout 1s;',
    settings => { converters => '1 timeout=5m path=%%CONVERTER%%' })->start;
my $storage = $t->storage;
my $png = Imagegram::Image::png(8, 8);

$t->expect_log(qr/imagegram: files of .* remain/);

sub form {
    return $t->form('posts', [author => 'ann', body => 'x', image => $png]);
}


# What opens this one's image waits until somebody opens it to write.  Another
# post is in front of it in the feed.

my $fifo = "$storage/" . ($t->post->{Image} =~ s{^/}{}r);
my $post = $t->post;
my @blocking;

unlink $fifo;
POSIX::mkfifo($fifo, 0666) or die "$fifo: $!\n";
chmod 0666, $fifo;

sub images { $t->get('posts?images=base64&limit=1') }

# Those of so many that are not told that it is busy.  A comment is asked for
# over the same connection to Redis: once it is there, they have come as far.

my $read = "posts/$post->{PostID}/comments/"
    . $t->comment($post->{PostID})->{CommentID};

# what Redis does not know yet is asked for twice

$_->{status} == 200 or die "no images, or no comment\n"
    for images(), $t->get($read);

sub waiting {
    my ($n) = @_;

    my @clients = map { $t->connect->send($t->prepare('GET',
        'posts?images=base64'))->flush } 1 .. $n;

    $t->get($read)->{status} == 200 or die "Redis is not there\n";
    Imagegram::HTTP::step(\@clients, 0);

    return grep { !@{ $_->{responses} } } @clients;
}

# One has the thread, and as many as may wait for it.  Before the first one has
# it there is no room for the last one.

sub block {
    my (@more) = @blocking = waiting(8);

    while (@more) {
        sleep 0.2;
        push @blocking, @more = waiting(1);
    }
}

sub release {
    return unless @blocking;

    open my $file, '>', $fifo or die "$fifo: $!\n";
    is($_->response->{status}, 200, 'the thread is not busy any more')
        for splice @blocking;
}


# --- who comes then

my @posts = map { $t->post } 1 .. 2;
my $upload = Imagegram::Tus->create($t, $png);

$upload->patch(0, substr $png, 0, 10);
block();

my $before = $t->stored;

is_problem(images(), 503, 'images in base64');
like(images()->{json}{detail}, qr/too many files wait/, 'are told why');
is($t->get('posts')->{status}, 200, 'the feed');
is($t->comment($post->{PostID})->{Body}, 'wow', 'a comment');

is_problem(create_request($t, length $png), 503, 'a new upload');
is_problem($upload->patch(10, substr $png, 10), 503, 'its bytes');
is($upload->head->{status}, 503, 'its offset');
is_problem($upload->request('DELETE'), 503, 'its end');
is_deeply($t->stored, $before, 'nothing has changed');

my $r = form();

is_problem($r, 503, 'a post');
ok($r->{headers}{'retry-after'}, 'Retry-After');
is($t->log =~ /imagegram: files of (\S+) remain/ && "tmp/$1.body",
    join(' ', $t->files('tmp')), 'whose body remains, which is said');

my $large = $t->upload('x' x 5_000_000);

is_problem($large->response, 503, 'a large one');
is($large->write("GET /posts HTTP/1.1\r\nHost: x\r\n\r\n", 'GET')
    ->response->{status}, 0, 'what comes then is taken for the rest of it');

# what cannot be removed is the sweeper's

my $id = $posts[0]{PostID};

is($t->delete("posts/$id")->{status}, 204, 'a post goes');
is($t->get("posts/$id")->{status}, 404, 'and is gone');
ok($t->log =~ /the files of deleted post $id remain/, 'its files remain');
is((() = grep { /$id/ } $t->files), 2, 'for the sweeper');
release();

is(images()->{status}, 200, 'images after that');
is($upload->offset, 10, 'the upload is where it was');
is($upload->patch(10, substr $png, 10)->{status}, 204, 'and goes on');
is(form()->{status}, 201, 'posts are made');
unlink map { "$storage/$_" } $t->files('tmp');


# --- who is at work already

my $converter = $t->converter_pid;

my @images = $t->files('images');

suspend($converter);
$upload = Imagegram::Tus->create($t, $png);

my $client = $t->upload($png);
my $patch = $upload->begin(0, $png, length $png);
my $head;

ok(wait_for(sub { (() = $t->files('tmp')) == 4 }, 30),
    'a form and an upload are to be converted');

# it looks again and again whether the upload is done
$head = $t->connect->send($t->prepare('HEAD', $upload->path,
    headers => ['Tus-Resumable' => '1.0.0']));
Imagegram::HTTP::step([$head], 0.1) for 1 .. 3;
is((() = @{ $head->{responses} }), 0, 'HEAD waits for it');

# where its turn comes in between it waits for the thread, too

wait_for(sub {
    release();
    block();
    Imagegram::HTTP::step([$head], 0.5);
    return @{ $head->{responses} };
}, 60);
$r = $head->response;
is($r->{status}, 200, 'until it cannot any more');
is($r->{headers}{'upload-offset'}, length $png, 'all bytes are there');
is($r->{headers}{'content-location'}, undef, 'but there is no post');

kill 'CONT', $converter;
is_problem($client->response, 503, 'what was converted cannot be put in place');
is_problem($patch->response, 503, 'nor that of the upload');
is_deeply([$t->files('images')], \@images, 'no post was made');
release();

ok(wait_for(sub { $upload->post }, 60), 'the upload is a post after that');
unlink map { "$storage/$_" } $t->files('tmp');


# --- an upload that somebody else takes over once its bytes are written, but
# their checksum was not looked at yet

$upload = Imagegram::Tus->create($t, $png);

my $half = substr $png, 0, 20;

$patch = $upload->begin(0, $half, 0, sha1 => sha1_hex($half));
Imagegram::HTTP::step([$patch], 0.1) for 1 .. 3;

my $lock = $upload->lock;

# to be written as soon as there is no lock, and then looked at
$patch->write($half);
Imagegram::HTTP::step([$patch], 0.1) for 1 .. 3;
$head = $t->connect->send($t->prepare('HEAD', $upload->path,
    headers => ['Tus-Resumable' => '1.0.0']))->flush;
Imagegram::HTTP::step([$patch, $head], 0.1) for 1 .. 3;
close $lock;
is_problem($patch->response, 409, 'bytes whose checksum was not looked at');
$r = $head->response;
is($r->{status}, 200, 'who took over');
is($r->{headers}{'upload-offset'}, 0, 'is told that they do not count');
is($upload->patch(0, $png)->{status}, 204, 'and sends them again');


# --- what is swept

$t->reload(settings => { sweep => '100ms' });
block();

my $file = plant($t, 'tmp/' . id() . '.body', 2);

sleep 1;
ok(-e "$storage/$file", 'nothing is swept');
release();
ok(wait_for(sub { !-e "$storage/$file" }, 60), 'it is after that');


# --- what waits for the thread while its worker is to leave at once

$t->replace_workers(settings => {},
    main => "$pool{roomy} worker_shutdown_timeout 1s;");

my ($worker) = $t->worker_pids;

$upload = Imagegram::Tus->create($t, $png);
$id = $posts[1]{PostID};
@blocking = waiting(1);
$patch = $upload->begin(0, $png, length $png);

my $delete = $t->connect->send($t->prepare('DELETE', "posts/$id"))->flush;

ok(wait_for(sub { $t->get("posts/$id")->{status} == 404 }, 30),
    'a post that is deleted, and an upload');
$t->reload(main => $pool{roomy});
is($_->response->{status}, 0, 'who waits is cut off') for $patch, $delete;
ok(alive($worker), 'but not the thread');
open my $writer, '>', $fifo or die "$fifo: $!\n";
close $writer;
ok(wait_for(sub { !alive($worker) }, 30), 'its worker leaves after that');
is((() = grep { /$id/ } $t->files), 0, 'the files of the post are gone');
is($upload->patch($upload->offset, substr $png, $upload->offset)->{status},
    204, 'the upload goes on');
ok(wait_for(sub { $upload->post }, 30), 'to a post');

done_testing();
