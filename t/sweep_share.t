#!/usr/bin/perl

# The sweeper where a storage is shared: by locations with Redis data of their
# own, by several nginx; and how a storage comes to its id.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path ();

use Imagegram qw(spew wait_for);
use Imagegram::FakeRedis;
use Imagegram::Process qw(lock_file);
use Imagegram::Storage qw(age id number owner plant shard storage_id
    swept_twice);
use Test::More;


# the cache talks to Redis, too
delete $ENV{IMAGEGRAM_CACHE};

my %fast = (sweep => '200ms');

sub placed { $_[0]->files(qw(images originals trash)) }

sub warnings {
    my ($t) = @_;
    return grep { /\[warn\].*not swept/ } split /\n/, $t->log;
}

sub orphans {
    my ($t) = @_;
    my $id = id();

    return map { plant($t, shard($_, $id, 'jpg'), 2) } qw(images originals);
}

sub is_swept {
    my ($t, $what, @orphans) = @_;

    ok(wait_for(sub { !grep { -e $t->storage . "/$_" } @orphans }, 60),
        "$what: what no post owns is removed");
}

sub keys_of {
    my ($t, $pattern) = @_;
    return sort @{ $t->redis('KEYS', $pattern) };
}


# --- two prefixes, and a second path to the same storage

my $t = Imagegram->new(settings => {%fast}, server => '
    location /b/ { imagegram; imagegram_key_prefix b; }
    location /c/ { imagegram; imagegram_key_prefix c;
        imagegram_storage %%DIR%%/link; }
');

symlink 'storage', $t->dir . '/link';
mkdir $t->storage;
chown((getpwnam 'www-data')[2, 3], $t->storage) if $> == 0;
$t->start;

ok(wait_for(sub { !-e $t->storage . '/new' }, 30), 'Redis was told');
is_deeply([keys_of($t, '*')], [map { "$_:{0}:storages" } qw(b c imagegram)],
    'of the storage, for each prefix');

my @posts = map {
    $t->{location} = $_;
    $t->post->{PostID};
} qw(/ /b/ /c/);

$t->{location} = '/';
age($t, 9, placed($t));

my @files = placed($t);
my @orphans = orphans($t);

is_swept($t, 'several prefixes', @orphans);
swept_twice($t);
is_deeply([grep { !/trash/ } placed($t)], \@files,
    'all posts keep their files');

my ($id) = $orphans[0] =~ m{([^/]+)\.jpg$};

is_deeply([keys_of($t, '*:buried:*')],
    [map { "$_:{0}:buried:$id" } qw(b c imagegram)],
    'only what nobody owns is buried, with all of them');
is(scalar(() = number($t)), 1, 'one sweeper');
is(scalar warnings($t), 0, 'nothing to complain about');

# where one of them has lost its data, the others are not believed either

$t->redis('UNLINK', keys_of($t, 'b:*'));
orphans($t);
@files = placed($t);
swept_twice($t);
is_deeply([placed($t)], \@files, 'one has lost its data: nothing is touched');
like((warnings($t))[-1], qr/prefix "b", does not know/, 'it is said which');


# --- settings that contradict each other

for my $case (
    [ 'imagegram_sweep 200ms;', 'imagegram_sweep 1h;', 1 ],
    [ 'imagegram_sweep 1h;', 'imagegram_sweep 60m;', 0 ],
    [ 'imagegram_sweep off;', '', 0 ],
    [ '', 'imagegram_sweep off;', 0 ],
    [ 'imagegram_sweep off;', 'imagegram_sweep 1h;', 1 ],
    [ 'imagegram_sweep 2h; imagegram_storage %%DIR%%/another;',
        'imagegram_sweep 1h;', 0 ],
) {
    my ($b, $c, $refused) = @$case;
    my %saved = %$t;

    $t->{settings} = { sweep => undef };
    $t->{server} = "location /b/ { imagegram; $b }
        location /c/ { imagegram; imagegram_storage %%DIR%%/link; $c }";

    my ($status, $output) = $t->check_conf;

    %$t = %saved;
    is($status ? 1 : 0, $refused, "'$b' beside '$c'") or diag($output);
    like($output, qr/\[emerg\] "imagegram_sweep" in location "\/c\/" differs/,
        'said why') if $refused;
}

$t->expect_log(qr/\[emerg\].*"imagegram_sweep"/);
$t->finish;


# --- two nginx, one storage: one sweeps at a time

$t = Imagegram->new(log => 'debug', settings => {%fast}, workers => 4)->start;

my $second = Imagegram->new(redis => undef, settings => {
    %fast,
    redis   => 'unix:' . $t->redis_socket,
    storage => $t->storage,
});

# the test is the third

ok(wait_for(sub { -s $t->storage . '/sweep.lock' }, 60), 'swept');

my $lock;

ok(wait_for(sub { $lock = lock_file($t->storage . '/sweep.lock') }, 60),
    'somebody else sweeps');
$second->start_nginx;

my @marker = (plant($t, 'tmp/' . id() . '.body', 2), orphans($t));

sleep 2;
is(scalar(grep { -e $t->storage . "/$_" } @marker), 3,
    'then nobody does, old files or not');
undef $lock;
is_swept($t, 'later', @marker);

@orphans = map { orphans($t) } 1 .. 40;

ok(wait_for(sub { !grep { !/trash/ } placed($t) }, 60), 'both sweep');
swept_twice($t);

my $sum = 0;

$sum += $_ for map { /images (\d+), originals (\d+)$/ ? ($1, $2) : () }
    split /\n/, $t->log . $second->log;

is($sum, @orphans + 2, 'each file is removed once, and said to be');
is(scalar warnings($_), 0, 'no complaints') for $t, $second;

my %sweepers = map { /(\d+)#\d+: imagegram sweep step/ ? ($1 => 1) : () }
    split /\n/, $t->log;

is(keys %sweepers, 1, 'one worker of each');

$second->finish;


# --- a worker that is to exit does not wait for a sweep, which takes long here

my @folders = map { my $n = $_; sprintf('images/%02x', $n),
    map { sprintf 'images/%02x/%02x', $n, $_ } 0 .. 255 } 0 .. 15;

$t->stop_nginx;

for my $signal (qw(QUIT TERM)) {
    mkdir $t->storage . "/$_" for @folders;

    my $first = plant($t, 'tmp/' . id() . '.body', 2);
    my ($image, $last) = orphans($t);

    unlink $t->storage . "/$image";
    spew($t->dir . '/logs/error.log', '');
    $t->start_nginx;
    ok(wait_for(sub { !-e $t->storage . "/$first" }, 60), 'a sweep begins');
    $t->stop_nginx($signal);
    ok(-e $t->storage . "/$last", "$signal in the middle of it");
    like($t->log, qr/swept .* tmp 1, trash 0; .* images 0, originals 0$/m,
        'what was done so far is in the log');
    ok(lock_file($t->storage . '/sweep.lock'), 'the lock is free');

    rename $t->storage . '/images', $t->dir . "/images-$signal";
    File::Path::make_path($t->storage . '/images', owner($t));
    $t->start_nginx;
    is_swept($t, 'another worker goes on', $last);
    $t->stop_nginx;
}

# nor is it kept by a new one

$t->start_nginx;
$t->reload for 1 .. 3;
is_swept($t, 'after reloads', orphans($t));


# --- how a storage comes to its id

# from before there were ids, or it was lost: nobody knows whose it is

$t->stop_nginx;
unlink map { $t->storage . "/$_" } qw(id sweep.lock);
spew($t->dir . '/logs/error.log', '');
$t->start_nginx;
$t->post;

@orphans = orphans($t);
@files = placed($t);
swept_twice($t);
is_deeply([placed($t)], \@files, 'files, but no id: nothing is touched');
ok(!-e $t->storage . '/new', 'it is not new');

my ($command) = map { /redis-cli -n 0 (HSET .*)$/ } warnings($t);

is($command, 'HSET "imagegram:{0}:storages" ' . storage_id($t) . ' 0',
    'what to do is said');
$t->redis(map { s/"//gr } split / /, $command);
is_swept($t, 'it is told by hand', @orphans);

# an id that cannot be one

my $id_file = $t->storage . '/id';
my $old = storage_id($t);

$t->expect_log(qr/\[emerg\].*storage/);

for my $bad ('', "$old", uc "$old\n", "${old}0\n", "$old\n$old\n") {
    spew($id_file, $bad);

    my ($status, $output) = $t->check_conf;

    isnt($status, 0, 'a bad id is refused');
    like($output, qr/\[emerg\] imagegram_storage "\Q$id_file\E" holds no UUID/,
        'and named');
}

SKIP: {
    skip 'only root has another user for workers', 2 if $> != 0;

    spew($id_file, "$old\n");
    chown 0, 0, $t->storage;
    chmod 0755, $t->storage;

    my ($status, $output) = $t->check_conf;

    isnt($status, 0, 'a storage that workers cannot write to');
    like($output, qr/\[emerg\].*"\Q@{[ $t->storage ]}\E\/" is not writable/,
        'is refused');
}

$t->finish;


# a setup that was cut off; Redis comes later, and refuses at first

my $uuid = id();
my $refuse = Imagegram->new(redis => undef, settings => {
    %fast,
    redis => 'unix:%%DIR%%/fake.sock',
});

$refuse->check_conf;
unlink $refuse->storage . '/id';
spew($refuse->storage . '/new', "$uuid\n");

my ($status, $output) = $refuse->check_conf;

is($status, 0, 'a setup that was cut off');
is(storage_id($refuse), $uuid, 'is carried on');
is((stat $refuse->storage . '/id')[4], (stat $refuse->storage)[4],
    'with files of the workers');

$refuse->expect_log(qr{connect\(\) to unix:.*/fake\.sock failed});
$refuse->start_nginx;

spew($refuse->dir . '/refuse', '');

my $fake = Imagegram::FakeRedis->new($refuse->dir . '/fake.sock', sub {
    my (undef, @command) = @_;

    return "+PONG\r\n" if $command[0] eq 'PING';
    return ":0\r\n" if "@command" !~ /:feed /;
    return -e $refuse->dir . '/refuse' ? "-ERR not now\r\n" : ":1\r\n";
});

# the script that tells it is the one that knows the feed, too

my $told = qr/ EVALSHA \w+ 2 \S+:storages \S+:feed $uuid 0$/;

ok(wait_for(sub { (() = grep { /$told/ } $fake->commands) >= 2 }, 60),
    'Redis is told again and again');
ok(-e $refuse->storage . '/new', 'the storage is new until then');
is_deeply([grep { !/PING$|$told/ } $fake->commands], [], 'and not swept');
ok(wait_for(sub { warnings($refuse) }, 30), 'which is said');
swept_twice($refuse);
is(scalar warnings($refuse), 1, 'once');
unlink $refuse->dir . '/refuse';
ok(wait_for(sub { !-e $refuse->storage . '/new' }, 60), 'and no longer');

# what is left of another setup is not believed

$refuse->stop_nginx;
$fake->stop;
$fake = Imagegram::FakeRedis->new($refuse->dir . '/fake.sock', sub {
    return $_[1] eq 'PING' ? "+PONG\r\n" : ":1\r\n";
});
spew($refuse->storage . '/new', id(), "\n");
$refuse->start_nginx;
swept_twice($refuse);
is_deeply([grep { /:feed/ } $fake->commands], [], 'another id is not told');
$refuse->stop_nginx;
$fake->stop;


# --- one of two has lost its data before the other could be told

my $loses = Imagegram->new(settings => {%fast}, server => '
    location /late/ { imagegram; imagegram_redis unix:%%DIR%%/late.sock; }
');

$loses->expect_log(qr{connect\(\) to unix:.*/late\.sock failed});
$loses->start;
ok(wait_for(sub { $loses->redis('EXISTS', 'imagegram:{0}:storages') }, 30),
    'the one that is there is told at once');
$loses->post;
age($loses, 9, placed($loses));
@files = placed($loses);
$loses->redis('FLUSHALL');
$fake = Imagegram::FakeRedis->new($loses->dir . '/late.sock', sub {
    return $_[1] eq 'PING' ? "+PONG\r\n" : ":1\r\n";
});
ok(wait_for(sub { !-e $loses->storage . '/new' }, 60), 'so is the other one');
swept_twice($loses);
is_deeply([placed($loses)], \@files, 'nothing is touched');
like((warnings($loses))[-1], qr/db 0, .* does not know/, 'it is said why');

# likewise where nginx was stopped in between

$loses->stop_nginx;
spew($loses->storage . '/new', storage_id($loses), "\n");
$loses->start_nginx;
ok(wait_for(sub { !-e $loses->storage . '/new' }, 60), 'told once more');
swept_twice($loses);
is_deeply([placed($loses)], \@files, 'with files and no post: not believed');

done_testing();
