#!/usr/bin/perl

# Reloads, a new nginx in place of the old one, and its end, while clients come
# and go: no request fails, and what was answered stays.
#
# IMAGEGRAM_RELOADS is how many reloads there are (5).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(alive slurp wait_for);
use Imagegram::Image;
use Imagegram::Tus;
use POSIX ();
use Test::More;

use constant {
    CLIENTS => 4,
    UPLOADS => 100,
    RELOADS => $ENV{IMAGEGRAM_RELOADS} // 5,
};


# a new nginx is given the environment that is named

my $t = Imagegram->new(
    workers => 2,
    daemon  => 1,
    main    => Imagegram->sanitized ? 'env LD_PRELOAD;' : '',
)->start;
my $image = Imagegram::Image::png(8, 8);
my $id = $t->post->{PostID};


# Clients, processes of their own, each request on a connection of its own

my @clients;

sub load {
    for my $n (1 .. CLIENTS) {
        my $pid = open(my $said, '-|') // die "fork: $!\n";

        if ($pid == 0) {
            my $end = 0;
            local $SIG{TERM} = sub { $end = 1 };
            client($n) until $end;
            POSIX::_exit(0);
        }

        push @clients, { pid => $pid, said => $said };
    }
}

sub client {
    my ($n) = @_;

    my $image_path = "posts/$id?images=base64";
    my $tus = Imagegram::Tus::create_request($t, length $image,
        body => $image);
    my @results = (
        upload  => $tus->{status},
        get     => $t->get('posts?limit=5')->{status},
        comment => $t->json("posts/$id/comments",
            { author => "client$n", body => 'x' })->{status},
        post    => $t->form('posts', [author => 'a', body => 'b',
            image => $image])->{status},
        get     => $t->get($image_path)->{status},
    );

    syswrite STDOUT, "@results\n";
}

# their end; gives how many got which answer: "comment 201"

sub answers {
    my %answers;

    kill 'TERM', $_->{pid} for @clients;

    for my $client (@clients) {
        while (readline $client->{said}) {
            my @results = split;

            while (my ($what, $status) = splice @results, 0, 2) {
                $answers{"$what $status"}++;
            }
        }

        close $client->{said};
    }

    @clients = ();

    return \%answers;
}

my %wanted = map { $_ => 1 } 'upload 201', 'get 200', 'comment 201',
    'post 201';
my ($comments, $posts) = (0, 1);

sub all_well {
    my ($what) = @_;

    wait_for(sub { count() > $comments + 20 }, 60);

    my $answers = answers();

    is_deeply([grep { !$wanted{$_} } sort keys %$answers], [],
        "$what: no request fails") or diag(explain($answers));
    cmp_ok($answers->{'comment 201'}, '>', 20, 'of many');

    $comments += $answers->{'comment 201'};
    $posts += $answers->{'post 201'} + $answers->{'upload 201'};

    is(count(), $comments, 'each comment that was answered counts');
    is($t->redis('ZCARD', 'imagegram:{0}:feed'), $posts, 'and so does a post');
    is(scalar $t->files('images'), $posts, 'which has its image');
}

sub count { $t->get("posts/$id")->{json}{CommentCount} }


# the one whose pid is on file; 0 while that is written

sub master { (slurp($t->dir . '/nginx.pid') =~ /(\d+)/)[0] // 0 }


sub another {
    my $pid = master();
    return $pid && $pid != $t->nginx_pid && $t->worker_pids($pid);
}


# reloads

load();
$t->reload for 1 .. RELOADS;
all_well(RELOADS . ' reloads');
ok(wait_for(sub { $t->worker_pids == 2 }, 60), 'two workers are left');


# a new nginx; old workers serve beside the new ones, until they are asked to
# leave

load();

my $old = $t->nginx_pid;
my @old = ($old, $t->worker_pids, $t->converter_pids);

kill 'USR2', $old;
ok(wait_for(\&another, 30), 'a new master has workers');
kill 'WINCH', $old;
ok(wait_for(sub { !$t->worker_pids($old) }, 60), 'the old workers leave');
kill 'QUIT', $old;
ok(wait_for(sub { !grep { alive($_) } @old }, 60), 'and so does the old one');
$t->{nginx} = master();
all_well('an upgrade');


# back to the old one, before that has left

load();
$old = $t->nginx_pid;
kill 'USR2', $old;
ok(wait_for(\&another, 30), 'another new one');

my $new = master();

kill 'WINCH', $old;
ok(wait_for(sub { !$t->worker_pids($old) }, 60), 'the old workers leave');
kill 'HUP', $old;
ok(wait_for(sub { $t->worker_pids($old) == 2 }, 30), 'they are wanted again');
kill 'QUIT', $new;
ok(wait_for(sub { !alive($new) }, 60), 'the new one leaves');
ok(wait_for(sub { master() == $old }, 30), 'and the old one goes on');
all_well('an upgrade taken back');


# the end, with uploads on their way

my $bmp = Imagegram::Image::bmp(100, 100);

sub uploads {
    my ($type, $message) = Imagegram::Body::multipart(author => 'ann',
        body => 'x', image => $bmp);
    my $length = length $message;

    return map {
        my $client = $t->connect;

        $client->write("POST /posts HTTP/1.1\r\nHost: localhost\r\n"
            . "Content-Type: $type\r\nContent-Length: $length\r\n\r\n"
            . substr($message, 0, 20_000), 'POST');
        [$client, substr $message, 20_000];
    } 1 .. UPLOADS;
}

my @started = ($t->nginx_pid, $t->worker_pids, $t->converter_pids);
my @uploads = uploads();
my $tus = Imagegram::Tus->create($t, $bmp);
my $patch = $tus->begin(0, $bmp, 20_000);

ok(wait_for(sub { $t->files('tmp') == UPLOADS }, 30), 'a hundred uploads');
kill 'QUIT', $t->nginx_pid;
ok(wait_for(sub { !Imagegram::HTTP::listens($t->port) }, 30),
    'nobody is let in any more');
$_->[0]->write($_->[1]) for @uploads;
$patch->write(substr $bmp, 20_000);
Imagegram::HTTP::run([$patch, map { $_->[0] } @uploads], 120);

my %statuses;

$statuses{ $_->[0]->response->{status} }++ for @uploads;
is_deeply(\%statuses, { 201 => UPLOADS }, 'but who was in is answered');
is($patch->response->{status}, 204, 'tus, too');
ok(wait_for(sub { !grep { alive($_) } @started }, 60), 'then all have left');
is_deeply([$t->files('tmp')], [], 'and left nothing');

$posts += UPLOADS + 1;
$t->start_nginx;
ok(wait_for(sub { $t->redis('ZCARD', 'imagegram:{0}:feed') == $posts }, 30),
    'each is a post');
is(scalar $t->files('images'), $posts, 'which has its image');


# the end, which waits no longer than it may

$t->reload(main => "$t->{main} worker_shutdown_timeout 1s;");
@started = ($t->nginx_pid, $t->worker_pids, $t->converter_pids);
@uploads = uploads();
$tus = Imagegram::Tus->create($t, $bmp);
$patch = $tus->begin(0, $bmp, 20_000);
ok(wait_for(sub { $t->files('tmp') == UPLOADS }, 30), 'a hundred uploads');
ok(wait_for(sub { -s $t->storage . '/uploads/' . $tus->id == 20_000 }, 30),
    'and one of tus');
kill 'QUIT', $t->nginx_pid;
ok(wait_for(sub { !grep { alive($_) } @started }, 30),
    'worker_shutdown_timeout ends them');
Imagegram::HTTP::run([map { $_->[0] } @uploads], 30);
is(scalar(grep { $_->[0]->response->{status} == 201 } @uploads), 0,
    'none of them is a post');

$t->start_nginx;
is($t->redis('ZCARD', 'imagegram:{0}:feed'), $posts, 'nor becomes one');
is(scalar $t->files('images', 'originals'), 2 * $posts, 'nor are its files');
is($tus->offset, 20_000, 'what tus has received counts');
is($tus->patch(20_000, substr $bmp, 20_000)->{status}, 204, 'and goes on');

done_testing();
