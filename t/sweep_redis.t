#!/usr/bin/perl

# The sweeper and Redis: it believes only one that knows the storage, and whose
# data are not older than its last sweep.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path ();

use Imagegram qw(alive slurp spew suspend wait_for);
use Imagegram::FakeRedis;
use Imagegram::Image;
use Imagegram::Storage qw(age id number plant shard storage_id swept_twice);
use Imagegram::Tus;
use Test::More;


# the cache talks to Redis, too
delete $ENV{IMAGEGRAM_CACHE};


my %fast = (sweep => '200ms');
my $t = Imagegram->new(settings => {%fast})->start;

sub key { join ':', 'imagegram:{0}', @_ }

sub placed { $t->files(qw(images originals trash)) }

sub warnings { grep { /\[warn\].*not swept/ } split /\n/, $t->log }

# two files that no post owns

sub orphans {
    my $id = id();
    return map { plant($t, shard($_, $id, 'jpg'), 2) } qw(images originals);
}

sub is_swept {
    my ($what, @orphans) = @_;

    ok(wait_for(sub { !grep { -e $t->storage . "/$_" } @orphans }, 60),
        "$what: what no post owns is removed");
    is_deeply([grep { !-e $t->storage . '/trash/' . s{/.*/}{/}r } @orphans], [],
        "$what: to the trash");
}

# Something is not right: nothing is touched, and it is said why, once.

sub is_refused {
    my ($what, $why, $count) = @_;

    my @before = placed();

    $count //= warnings();
    swept_twice($t);
    is_deeply([placed()], \@before, "$what: nothing is touched");

    my @warnings = warnings();

    is(scalar @warnings, $count + 1, "$what: a warning, once");
    like($warnings[-1], $why, "$what: which says why");

    return $warnings[-1];
}

# what it says should be done if all is well

sub obey {
    my ($warning) = @_;

    my ($db, $key, $id, $number)
        = $warning =~ /redis-cli -n (\d+) HSET "(\S+)" (\S+) (\d+)$/
        or die "no command in: $warning\n";

    $t->redis('SELECT', $db);
    $t->redis('HSET', $key, $id, $number);
    $t->redis('SELECT', 0);
}

my $post = $t->post;
my @files = $t->files(qw(images originals));

age($t, 30, @files);
is_swept('known', orphans());
is(scalar warnings(), 0, 'nothing to complain about');
is_deeply([$t->files(qw(images originals))], \@files, 'the post is there');


# --- FLUSHALL

my @orphans = orphans();
my $count = warnings();

$t->redis('FLUSHALL');

my $warning = is_refused('FLUSHALL', qr/\Q$t->{dir}\E.*FLUSHALL/, $count);

$t->post;

# a worker that starts anew knows no better

$t->stop_nginx;
$count = warnings();
$t->start_nginx;
is_refused('FLUSHALL and a start', qr/does not know/, $count);
ok(!-e $t->storage . '/new', 'the storage is not new again');
is($t->redis('EXISTS', key('storages')), 0, 'nor known');

obey($warning);
is_swept('known again', @orphans, @files);
ok(wait_for(sub { $t->log =~ /\[notice\].*are swept again/ }, 30),
    'which is said');
is(scalar(() = placed()), 8, 'the post that was made meanwhile is there');


# --- another db, another prefix

@orphans = orphans();

for my $case (
    ['another db', qr/db 1, .* does not know/,
        redis => '%%REDIS%% db=1'],
    ['another prefix', qr/prefix "other", does not know/,
        key_prefix => 'other'],
) {
    my ($what, $why, %settings) = @$case;

    $count = warnings();
    $t->reload(settings => { %fast, %settings });
    is_refused($what, $why, $count);
}

# several of them: one that does not know the storage is enough

$count = warnings();
$t->reload(settings => {%fast}, server => 'location /other/ { imagegram;
    imagegram_key_prefix other; }');
is_refused('a second prefix', qr/prefix "other", does not know/, $count);

$t->reload(server => '');
is_swept('as before', @orphans);


# --- an old backup

my @appended = glob $t->dir . '/redis/appendonlydir/*';

sub backup {
    my ($from, $to) = @_;

    my $dir = $t->dir . "/redis/$to";

    File::Path::remove_tree($dir);
    mkdir $dir;
    spew("$dir/" . s{.*/}{}r, slurp($_))
        for glob $t->dir . "/redis/$from/*";
}

$t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});

$t->stop_redis;
backup('appendonlydir', 'backup');
$t->start_redis;

my $number = number($t);

ok(wait_for(sub { number($t) > $number + 1 }, 60), 'swept after a backup');
$post = $t->post;
age($t, 3, grep { /$post->{PostID}/ } placed());
@orphans = orphans();
is_swept('after a backup', @orphans);

$t->stop_redis;
backup('backup', 'appendonlydir');
$count = warnings();
$t->start_redis;

$warning = is_refused('an old backup', qr/from before the last sweep/, $count);
ok((grep { /$post->{PostID}/ } placed()) == 2, 'newer images stay');

obey($warning);
is_swept('believed', shard('images', $post->{PostID}, 'jpg'));


# --- Redis is away: nothing is said or touched; what needs no Redis goes on

@orphans = orphans();
$t->stop_redis;

my @before = placed();

$count = warnings();
swept_twice($t);
is_deeply([placed()], \@before, 'no Redis: nothing is touched');
is(scalar warnings(), $count, 'no warning');
$t->start_redis;
is_swept('Redis is back', @orphans);


# --- it hangs with a post's script sent, which is carried out much later

$t->post;    # Redis is to have the script
suspend(my $converter = $t->converter_pid);

my $c = $t->upload(Imagegram::Image::png(8, 8));

ok(wait_for(sub { (() = $t->files('tmp')) == 3 }, 30), 'an upload waits');

my ($id) = map { m{/(.*)\.jpeg$} } $t->files('tmp');

suspend($t->redis_pid);
kill 'CONT', $converter;
is($c->response->{status}, 503, 'nobody knows of a post');
age($t, 3, grep { /$id/ } placed());
is((() = grep { /$id/ } placed()), 2, 'its files stay');
kill 'CONT', $t->redis_pid;
ok(wait_for(sub { $t->get("posts/$id")->{status} == 200 }, 30),
    'it appears');
swept_twice($t);
is($t->get("posts/$id")->{status}, 200, 'and remains');
is((() = grep { /$id/ } placed()), 2, 'with its files');


# --- what the scripts say, where data are lost between one and the next

my $script = slurp($t->top . '/src/lua/orphans.lua');

sub ask {
    my ($now, $bury) = @_;
    return $t->redis('EVAL', $script, 5, key('storages'),
        (map { key('post', $_), key('buried', $_) } $id, 'none'), 'x', $now,
        $bury);
}

$t->redis('HSET', key('storages'), 'x', 7);
is_deeply(ask(7, 0), [1], 'a PostID without a post');
is($t->redis('EXISTS', key('buried', 'none')), 0, 'is not always buried');
is(ask(8, 1), undef, 'older data: no answer');
$t->redis('HDEL', key('storages'), 'x');
is(ask(7, 1), undef, 'the storage is not known: no answer');
is($t->redis('EXISTS', key('buried', 'none')), 0, 'and nothing buried');


# --- so is it believed; a Redis that knows the storage, then does not

$t->stop_nginx;
$t->stop_redis;
@orphans = orphans();
@before = placed();

my %answers;

my $fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
    my ($n, @command) = @_;

    return "+PONG\r\n" if $command[0] eq 'PING';
    return "-NOSCRIPT\r\n" if $command[0] eq 'EVALSHA';

    my $introduced = -e $t->dir . '/introduced';
    my ($orphans) = map { slurp($t->dir . "/$_") } 'orphans';

    if ($command[2] > 1) {
        spew($t->dir . '/introduced', '');
        return $orphans;
    }

    return $introduced ? ":0\r\n" : ":1\r\n";
});

$t->{settings} = { %fast, redis => 'unix:%%DIR%%/fake.sock timeout=1s' };

for my $reply (
    ["*-1\r\n", qr/\[warn\].*does not know/],
    ["\$-1\r\n", qr/\[warn\].*does not know/],
    ["*1\r\n:99\r\n"],
    ["*1\r\n:-1\r\n"],
    ["*2\r\n:0\r\n:0\r\n"],
    ["*1\r\n+0\r\n"],
    ["*1\r\n*0\r\n"],
    [":0\r\n"],
    ["+OK\r\n"],
    ["-ERR unknown\r\n"],
    ['x', qr/is lost/],
) {
    my ($bytes, $said) = @$reply;

    unlink $t->dir . '/introduced';
    spew($t->dir . '/orphans', $bytes);
    spew($t->dir . '/logs/error.log', '');
    $t->start_nginx;
    ok(wait_for(sub { -e $t->dir . '/introduced' }, 30), 'asked');
    swept_twice($t);
    $t->stop_nginx;
    is_deeply([placed()], \@before, 'a strange answer: nothing is touched');
    like($t->log, $said, 'it is said') if $said;
}

# said at once, not when the next sweep begins

unlink $t->dir . '/introduced';
spew($t->dir . '/orphans', "\$-1\r\n");
spew($t->dir . '/logs/error.log', '');
$t->{settings}{sweep} = '1h';
$t->start_nginx;
ok(wait_for(sub { $t->log =~ /does not know/ }, 60),
    'data that are lost in the middle of a sweep');

# for which a worker that is to exit does not wait

kill 'QUIT', $t->nginx_pid;
ok(wait_for(sub { !alive($t->nginx_pid) }, 60),
    'a worker exits between sweeps');

$fake->stop;


# --- an upload whose post is still to be made waits as long as that takes

$t->finish;
$t = Imagegram->new(settings => {%fast})->start;
$t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});
ok(wait_for(sub { !-e $t->storage . '/new' }, 30), 'a storage of its own');
$t->stop_redis;

my $png = Imagegram::Image::png(8, 8);
my $part = Imagegram::Tus->create($t, $png);
my $whole = Imagegram::Tus->create($t, $png);

$part->patch(0, substr $png, 0, 10);

my $r = $whole->patch(0, $png);

is($r->{status}, 503, 'Redis is away when the last byte comes');
$r = $whole->head;
is($r->{status}, 200, 'it is complete');
ok(!$r->{headers}{'upload-expires'}, 'and does not expire');

$t->stop_nginx;
age($t, 3, map { my $u = $_; map { 'uploads/' . $u->id . $_ } '', '.info' }
    $part, $whole);
$t->start_nginx;
swept_twice($t);
is_deeply([$t->files('uploads')],
    [map { 'uploads/' . $whole->id . $_ } '', '.info'],
    'one that was not complete is removed');
$t->start_redis;
ok(wait_for(sub { $t->get('posts/' . $whole->id)->{status} == 200 }, 60),
    'Redis is back, and the post is there');

done_testing();
