#!/usr/bin/perl

# A converter that says what is not so, nothing, or cannot be run: clients are
# told 503, nothing of it is kept, and it works again by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(alive spew suspend wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Tus;
use Test::More;


my $t = Imagegram->new(http => 'imagegram_max_author 10;
    imagegram_max_image_size 1m;');
my $fake = $t->dir . '/wrong';

Imagegram->compile('wrong.c', $fake);
$t->{api} = "imagegram_converters 2 timeout=1s path=$fake;";
$t->expect_log(qr/unknown process \d+ exited on signal 9/);

sub says { spew("$fake.next", $_[0]); rename "$fake.next", "$fake.says" }

says('right');
$t->start;

my $png = Imagegram::Image::png(8, 8);

sub form { $t->form('posts', [author => 'ann', body => 'x', image => $png]) }

# How often the log says so

sub said { scalar(() = $t->log =~ /$_[0]/g) }

sub said_once_more {
    my ($before, $message, $name) = @_;
    is(said($message), $before + 1, "$name: said once");
}

sub works {
    my ($name) = @_;

    says('right');
    is(form()->{status}, 201, "$name: another one that is right is taken");
}


# --- results

works('before');

my %wrong = (
    'its length' => [qw(short cut longer author_len lens too_long)],
    'another version' => ['version'],
    'an unknown reason or format' => [qw(reason format)],
    'an unknown reason for a field' => ['field'],
    'success with a field at fault' => ['field_at_fault'],
    'success without a format' => ['no_format'],
    'a bad author' =>
        [qw(no_author author_control author_crlf author_long)],
    'a bad body' => [qw(no_body body_utf8 body_crlf)],
    'another size than the JPEG has' => ['jpeg_size'],
    'what it wrote is no JPEG' =>
        [qw(no_jpeg short_jpeg magic_0 magic_1 magic_2)],
    'another size than the original has, or may have' =>
        [qw(original_size original_large)],
);

for my $message (sort keys %wrong) {
    for my $what (@{ $wrong{$message} }) {
        my $before = $t->stored;
        my $line = "imagegram-convert sent a wrong result: $message";
        my $n = said($line);

        says($what);

        my $r = form();

        is_problem($r, 503, "$what: 503");
        ok($r->{headers}{'retry-after'}, "$what: Retry-After");
        said_once_more($n, $line, $what);
        is_deeply($t->stored, $before, "$what: nothing is left");
    }
}

works('after that');

# an upload waits for one that is right

my $line = 'sent a wrong result: fields of an image alone';
my $upload = Imagegram::Tus->create($t, $png);

says('no_author');
is_problem($upload->patch(0, $png), 503, 'an upload: fields of nobody');
cmp_ok(said($line), '>', 0, 'is said');
is_deeply([$t->files('tmp')], [], 'nothing is left');
is($upload->head->{headers}{'upload-offset'}, length $png,
    'but all of its bytes');
says('right');
ok(wait_for(sub { $upload->post }, 60), 'and it is a post in the end');


# --- it speaks unasked: it is another program

my $died = said('imagegram-convert died');

says('speaks');
is_problem(form(), 503, 'one that says something by itself');
cmp_ok(said('imagegram-convert died'), '>=', $died + 2,
    'is ended, both times');
is(said('was lost again on the same image, given up'), 1, 'which is said');
works('after that');


# --- it says nothing: its deadline is a second, and the worker's 5 s later

my $before = $t->stored;
my ($worker) = $t->worker_pids;
my $parent = $t->converter_pid;

# two of them are at work, and one waits

says('silent');

my @clients = map { $t->upload($png) } 1 .. 3;

ok(wait_for(sub { (() = $t->files('tmp')) == 9 }, 30), 'three are let in');
is($t->get('posts')->{status}, 200, 'readers do not notice');

# both of the deadlines are met in one turn

suspend($worker);
sleep 7;
says('right');
kill 'CONT', $worker;

my @statuses = sort map { $_->{status} } my @answers
    = map { $_->response } @clients;

is_deeply(\@statuses, [201, 503, 503], 'two are given up, one is converted');
is_problem($_, 503, 'which is told')
    for grep { $_->{status} == 503 } @answers;
is(said('imagegram-convert missed its own deadline of 1000 ms'), 2,
    'and said');
ok(wait_for(sub { !alive($parent) }, 30), 'who was silent is ended');
unlike($t->log, qr/kill\(\d+\) failed/, 'once');
is_deeply([$t->files('tmp')], [], 'nothing is left');
works('after that');


# --- its socket is full

# some 200 jobs fit into one

my $jobs = 400;

# who has to wait until all of them are sent is not given up
$t->replace_workers(
    api  => "imagegram_converters $jobs timeout=5m path=$fake;",
    main => 'worker_rlimit_nofile 8192;', connections => 4096);
$parent = $t->converter_pid;
suspend($parent);
@clients = map { $t->upload($png) } 1 .. $jobs;

ok(wait_for(sub { (() = $t->files('tmp')) == 3 * $jobs }, 60),
    'many jobs for one that does not take them');
is($t->get('posts')->{status}, 200, 'readers do not notice');
kill 'CONT', $parent;
Imagegram::HTTP::run(\@clients, 60);
is_deeply([grep { $_ != 201 } map { $_->response->{status} } @clients], [],
    'all of them are done once it does');


# --- a body that the worker may not open again, for the converter to read

$t->replace_workers(api => "imagegram_converters 1 path=$fake;");
$parent = $t->converter_pid;
suspend($parent);
@clients = $t->upload($png);
ok(wait_for(sub { (() = $t->files('tmp')) == 3 }, 30), 'one is let in');

my %known = map { $_ => 1 } $t->files('tmp');

push @clients, $t->upload($png);
ok(wait_for(sub { (() = $t->files('tmp')) == 6 }, 30), 'another one waits');

my ($body) = grep { /body$/ && !$known{$_} } $t->files('tmp');

chmod 0, $t->storage . "/$body";
$t->expect_log(qr{a body cannot be opened again});
kill 'CONT', $parent;
is($clients[0]->response->{status}, 201, 'the first is converted');

my $r = $clients[1]->response;

is_problem($r, 503, 'its body may not be read');
is(said('a body cannot be opened again through /proc/self/fd \(13: '), 1,
    'is said');
is_deeply([$t->files('tmp')], [], 'nothing is left');
works('after that');


# --- worker_shutdown_timeout, while it is silent

$t->replace_workers(main => 'worker_shutdown_timeout 1s;',
    api => "imagegram_converters 2 path=$fake;");
($worker) = $t->worker_pids;
$parent = $t->converter_pid;
$before = $t->stored;
says('silent');
@clients = map { $t->upload($png) } 1 .. 3;
ok(wait_for(sub { (() = $t->files('tmp')) == 9 }, 30), 'three are let in');
$t->reload(main => '');
ok(wait_for(sub { !alive($worker) && !alive($parent) }, 30),
    'a worker that is to leave does, and its converter');
like($_->response->{status}, qr/^(?:0|503)$/, 'who waited is told, or cut off')
    for @clients;
is_deeply($t->stored, $before, 'nothing is left');
works('after that');


# --- it is gone

$line = qr/"\Q$fake\E" cannot be run \(2: No such file/;
$t->expect_log($line);
rename $fake, "$fake.away";
$parent = $t->converter_pid;
kill 'KILL', $parent;
ok(wait_for(sub { said($line) >= 3 }, 30), 'it cannot be started again');

$r = form();
is_problem($r, 503, 'who comes then is sent away');
ok($r->{headers}{'retry-after'}, 'Retry-After');
is($t->get('posts')->{status}, 200, 'readers do not notice');
rename "$fake.away", $fake;
ok(wait_for(sub { $t->converter_pids }, 30), 'it is started once it is there');
works('after that');

# and who is to leave does not wait for it

rename $fake, "$fake.away";

my $n = said($line);

($worker) = $t->worker_pids;
kill 'KILL', $t->converter_pid;
ok(wait_for(sub { said($line) >= $n + 5 }, 30), 'it is gone again');
$t->stop_nginx('QUIT');
ok(!alive($worker), 'nginx ends without it');

done_testing();
