#!/usr/bin/perl

# script/check-storage finds each kind of damage, and repairs what can be.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path ();

use Imagegram qw(slurp spew wait_for);
use Imagegram::Image;
use Imagegram::Storage qw(age id plant shard storage_id);
use Test::More;


my $t = Imagegram->new->start;

ok(wait_for(sub { !-e $t->storage . '/new' }, 30), 'Redis knows the storage');

sub key { join ':', 'imagegram:{0}', @_ }

# Exit status and output

sub check {
    my (@options) = @_;

    my $command = join ' ', $t->sanitizers, map { "'$_'" }
        Imagegram->top . '/script/check-storage', '--redis',
        'unix:' . $t->redis_socket, '--convert', $t->converter, @options,
        $t->storage;
    my $said = `$command 2>&1`;

    return ($? >> 8, $said);
}

# Everything that clients see

sub seen {
    my ($posts) = $t->walk('posts?limit=100');
    my %seen;

    for my $post (@$posts) {
        my ($comments) = $t->walk("posts/$post->{PostID}/comments?limit=100");

        $seen{ $post->{PostID} } = { %$post, Version => 0,
            comments => $comments,
            image => $t->get($post->{Image})->{body} };
    }

    return { order => [map { $_->{PostID} } @$posts], posts => \%seen };
}


# --- what is whole

is((check())[0], 0, 'nothing at all is no fault');

my @posts = map { $t->post->{PostID} } 1 .. 4;
my @comments = map { $t->comment($posts[1])->{CommentID} } 1 .. 4;
my ($first, $second, $third, $fourth) = @posts;

$t->comment($third, body => "line\n\"quoted\" \\ \x{e4}");
$t->comment($third);
$t->delete("posts/$second/comments/$comments[1]");
$t->delete('posts/' . $t->post->{PostID});
$t->post(author => '","Version":7,"', body => qq({"Body":"\n"}));

my $before = seen();
my ($status, $said) = check();

is($status, 0, 'nor are posts and comments');
is($said, "posts 5, comments 5: faults 0\n", 'which are counted');


# --- damage: what is found, and what becomes of it

# Damages, sees it found, sees that looking changed nothing, and that after a
# repair everything is as before.  Where it cannot be so, after is what has
# changed of it.

sub damaged {
    my ($name, $damage, $fault, %options) = @_;

    $damage->();

    my ($status, $said) = check();

    is($status, 1, "$name: found") or diag($said);
    like($said, $fault, "$name: told");
    is((check())[1], $said, "$name: looking repairs nothing");

    ($status, $said) = check('--repair', @{ $options{with} // [] });
    is($status, $options{status} // 0, "$name: repaired") or diag($said);
    ($status, $said) = check();
    is($status, $options{status} // 0, "$name: nothing else is found")
        or diag($said);

    $options{after}->($before) if $options{after};
    is_deeply(seen(), $before, "$name: everything is there");
}

sub redis { my @command = @_; sub { $t->redis(@command) } }

my $image = $t->storage . '/' . shard('images', $third, 'jpg');
my $original = $t->storage . '/' . shard('originals', $third, 'png');
my $png = slurp($original);

damaged('a wrong count', redis('HSET', key('post', $second), 'count', 2),
    qr/post $second: CommentCount is 2 of 3 comments/);
damaged('a wrong score', redis('ZINCRBY', key('feed'), 2**29, $second),
    qr/post $second: the score is for 4 of 3 comments/);
damaged('a wrong card', redis('HSET', key('cards'), $second, '{}'),
    qr/post $second: the card is not/);
damaged('no card', redis('HDEL', key('cards'), $second),
    qr/post $second: the card is not/);
damaged('wrong last comments', redis('HSET', key('post', $second), 'second',
    ''), qr/post $second: the last comments/);
damaged('no newest comment', redis('HDEL', key('post', $second), 'newest'),
    qr/post $second: the last comments/);
damaged('a card of no post', redis('HSET', key('cards'), id(), '{}'),
    qr/a card without a post/);
damaged('a feed with no post', redis('ZADD', key('feed'), 77, id()),
    qr/in the feed without a post/);
damaged('comments of no post', sub {
    $t->redis('ZADD', key('comments', id()), 1, id());
    $t->redis('HSET', key('texts', id()), id(), '{}');
}, qr/comments without a post.*comments without a post/s);
damaged('no number of the next comment', redis('HSET', key('post', $second),
    'comments', 1), qr/number of the next comment is behind/);
damaged('a sequence that is behind', redis('SET', key('seq'), 3),
    qr/the last sequence number is behind/);
damaged('a post that is buried', redis('SET', key('buried', $first), 1),
    qr/the PostID is buried.*buried for ever/s);
damaged('a burial for ever', redis('SET', key('buried', id()), 1),
    qr/buried for ever/);
damaged('an idempotency key for ever', redis('HSET', key('idem', 'x'), 'token',
    id()), qr/would never end/);
damaged('a broken idempotency key', redis('HSET', key('idem', 'y'), 'hash',
    'x', 'answer', '{'), qr/idempotency key is broken/);
damaged('an author', redis('HSET', key('post', $second), 'author', 'eve'),
    qr/author is not that of the card/);
damaged('a version', redis('HSET', key('post', $second), 'version', 'x'),
    qr/version is no number/);
damaged('a format', redis('HSET', key('post', $second), 'format', 'gif'),
    qr/format is unknown/);
damaged('broken JSON of a post', redis('HSET', key('post', $second), 'head',
    '{"PostID":'), qr/author, time or text are broken/);
damaged('a post without its text', redis('HDEL', key('post', $posts[0]),
    'tail'), qr/author, time or text are broken/);
damaged('a post that is missing', redis('UNLINK', key('post', $second)),
    qr/post $second: the post is missing, its card is there/);
damaged('a comment without a place', redis('ZREM', key('comments', $second),
    $comments[3]), qr/comment $comments[3] is not in the list/);
damaged('a comment without a text', redis('ZADD', key('comments', $second), 9,
    id()), qr/comment \S+ has no text/);
damaged('a comment with broken JSON', sub {
    $t->redis('HSET', key('texts', $second), 'x', '{"CommentID":');
    $t->redis('ZADD', key('comments', $second), 99, 'x');
}, qr/comment x is broken, and goes: \{"CommentID":$/m);

damaged('no image', sub { unlink $image }, qr/its image is missing/);
damaged('an empty image', sub { truncate $image, 0 }, qr/its image is empty/);
damaged('half an image', sub { truncate $image, 1000 },
    qr/its image is cut off/);
damaged('no image, but in the trash', sub {
    rename $image, $t->storage . "/trash/images/$third.jpg";
}, qr/its image is missing/);
damaged('files in the trash', sub {
    rename $image, $t->storage . "/trash/images/$third.jpg";
    rename $original, $t->storage . "/trash/originals/$third.png";
    rmdir s{/[^/]+\z}{}r for $image, $original;
}, qr/its original and its image are lost/);
damaged('no original', sub { unlink $original }, qr/its original is missing/,
    status => 1);
spew($original, $png);
damaged('no original but another one', sub {
    spew($original, 'BM');
}, qr/its original is no PNG/, status => 1);
spew($original, $png);

# files without a post

my $young = plant($t, shard('images', id(), 'jpg'), 0);
my @lost = map { plant($t, shard($_, 'abcd0000-0000-4000-8000-00000000000f',
    'jpg'), 2) } qw(images originals);
my $bytes = slurp($t->storage . "/$lost[1]");

damaged('files without a post', sub { },
    qr{^images/abcd[^\n]* no post\n.*^originals/abcd}ms);
ok(!-e $t->storage . "/$_", 'they are gone') for @lost;
is(slurp($t->storage . '/trash/originals/' . $lost[1] =~ s{.*/}{}r), $bytes,
    'into the trash');
cmp_ok($t->redis('TTL', key('buried', 'abcd0000-0000-4000-8000-00000000000f')),
    '>', 86000, 'and buried');
like((check())[1], qr/files without a post yet 1$/, 'a young one is no fault');
damaged('also a young one', sub { age($t, 2, $young) }, qr/there is no post/);

plant($t, shard('originals', $third, 'bmp'), 2);
damaged('an original of another format', sub { },
    qr/original of another format/);

# of an upload, whose record is there
{
    my $id = id();

    plant($t, $_, 3) for "uploads/$id.info", shard('images', $id, 'jpg');
    is((check())[0], 0, 'files of an upload are no fault');
    unlink $t->storage . "/uploads/$id.info",
        $t->storage . '/' . shard('images', $id, 'jpg');
}

# of names that are not made here
plant($t, $_, 3) for 'images/README', 'images/aa/bb/x.jpg',
    shard('images', id(), 'png'), 'images/00/00/' . id() . '.jpg';
is((check())[0], 0, 'nor is what was not made here');


# --- what is not as before: the order, of what has lost its number

damaged('no place in the feed', redis('ZREM', key('feed'), $first),
    qr/post $first: not in the feed/, after => sub {
        my ($order) = $_[0]{order};
        my ($zero) = grep { $_[0]{posts}{ $order->[$_] }{CommentCount} == 0 }
            0 .. $#$order;

        @$order = grep { $_ ne $first } @$order;
        splice @$order, $zero, 0, $first;
    });

my ($seq) = map { $_ % 2**29 } $t->redis('ZSCORE', key('feed'), $fourth);

$t->redis('ZADD', key('feed'), $seq, $first);
($status, $said) = check('--repair');
is($status, 0, 'two posts with one number: repaired');
like($said, qr/sequence number is that of another post/, 'and found');
is((check())[0], 0, 'nothing else is found');
is_deeply([sort @{ seen()->{order} }], [sort @{ $before->{order} }],
    'the feed is complete');

# --- new posts and comments after all that

$t->comment($_) for @posts;
$t->post;
is((check())[0], 0, 'new ones are in order');


# --- while others write: what is on its way is no fault

defined(my $writer = fork) or die "fork: $!\n";

if ($writer == 0) {
    while (1) {
        my $post = $t->post->{PostID};
        my ($comment) = map { $t->comment($post)->{CommentID} } 1 .. 3;

        $t->delete("posts/$post/comments/$comment");
        $t->delete("posts/$post");
    }
}

for my $n (1 .. 8) {
    my ($status, $said) = check($n % 2 ? () : '--repair');

    like($said, qr/^posts \d+, comments \d+: faults 0/, "beside writers, $n");
}

kill 'KILL', $writer;
waitpid $writer, 0;
wait_for(sub { !grep { /tmp/ } $t->files }, 30);


# --- lost for good

unlink $image, $original;
($status, $said) = check('--repair');
is($status, 1, 'a post whose files are both lost');
like($said, qr/post $third: its original and its image are lost$/m, 'is told');
is($t->get("posts/$third")->{status}, 200, 'and stays');
($status, $said) = check('--repair', '--drop');
is($status, 0, 'unless asked for');
is($t->get("posts/$third")->{status}, 404, 'then it goes');
is((check())[0], 0, 'with all of it');


# --- a backup, Redis first and then the files, and what happened in between

sub redis_files { $t->dir . '/redis/' . $_[0] }

my $deleted = $t->post->{PostID};

$t->redis('SAVE');
rename redis_files('dump.rdb'), redis_files('backup.rdb');
$t->delete("posts/$deleted");
$t->comment($first);

my $later = $t->post->{PostID};

$before = seen();
system('cp', '-a', $t->storage, $t->dir . '/backup') == 0 or die "cp failed\n";
$t->post for 1 .. 3;
$t->delete("posts/$second");

# all is lost
$t->stop_nginx;
$t->stop_redis;
File::Path::remove_tree($t->storage, redis_files('appendonlydir'),
    { safe => 0 });

rename $t->dir . '/backup', $t->storage;
rename redis_files('backup.rdb'), redis_files('dump.rdb');
$t->{redis} = ['--appendonly no'];
$t->start_redis;
$t->redis(qw(CONFIG SET appendonly yes));

($status, $said) = check();
is($status, 1, 'a backup of two moments');
like($said, qr/^post $deleted: its original and its image are lost$/m,
    'what was deleted has no files');
like($said, qr/: faults 1; files without a post yet 2$/,
    'what came later has no post');
is((check(qw(--repair --drop)))[0], 0, 'is repaired');

$t->start_nginx;
is($t->get("posts/$later")->{status}, 404, 'what came later is not there');
is($t->get("posts/$deleted")->{status}, 404, 'nor what was deleted');
delete $before->{posts}{$later};
$before->{order} = [grep { $_ ne $later } @{ $before->{order} }];

my %then = %{ seen()->{posts} };

is_deeply([sort keys %then], [sort keys %{ $before->{posts} }],
    'everything else is');
is($then{$second}{image}, $before->{posts}{$second}{image}, 'with its image');
is_deeply($then{$second}{comments}, $before->{posts}{$second}{comments},
    'and its comments');


# --- a Redis that is another one: no file is touched

plant($t, $young, 2);
$t->redis('HSET', key('storages'), storage_id($t), 0);
spew($t->storage . '/sweep.lock', "1700000000\n");
($status, $said) = check('--repair');
is($status, 1, 'data from before the last sweep');
like($said, qr/has data from before the last sweep.* HSET .* 1700000000$/m,
    'is told, and what to do');
ok(-e $t->storage . "/$young", 'the file stays');
$t->redis('HDEL', key('storages'), storage_id($t));
($status, $said) = check('--repair');
is($status, 1, 'data of another storage');
like($said, qr/does not know this storage/, 'are told');
ok(-e $t->storage . "/$young", 'the file stays');
$t->redis('HSET', key('storages'), storage_id($t), 1700000000);
is((check('--repair'))[0], 0, 'they are known');
ok(!-e $t->storage . "/$young", 'the file goes');


# --- what cannot be checked

($status, $said) = check('--prefix', 'other');
is($status, 1, 'another prefix');
like($said, qr/prefix other: does not know this storage/, 'has other posts');

is((check('--redis', 'unix:' . $t->dir))[0], 2, 'no Redis: not checked');
is((check('--username', 'x', '--password', 'x'))[0], 2,
    'a wrong password: not checked');
is((check('--db', 'x'))[0], 2, 'a wrong option: not checked');
is((check($t->dir))[0], 2, 'two storages: not checked');

done_testing();
