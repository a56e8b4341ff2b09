#!/usr/bin/perl

# What the sweeper removes, and what it leaves alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp suspend wait_for);
use Imagegram::Image;
use Imagegram::Storage qw(age id owner plant shard storage_id swept_twice);
use Test::More;


# conversions are held here, for as long as a slow machine takes
my %settings = (converters => '1 timeout=100s path=%%CONVERTER%%');
my $t = Imagegram->new(log => 'debug', settings => {%settings});
my $umask = umask 0077;

$t->start;
umask $umask;

my $png = Imagegram::Image::png(8, 8);

sub key { join ':', 'imagegram:{0}', @_ }

sub here { $t->files(qw(tmp images originals uploads trash)) }

sub log_lines { grep { /$_[0]/ } split /\n/, $t->log }


# --- a new storage gets an id, which Redis is told, also where sweeping is off

ok(wait_for(sub { !-e $t->storage . '/new' }, 30), 'the storage is not new');
like(storage_id($t), qr/^[0-9a-f-]{36}\z/, 'it has an id');
is_deeply($t->redis('HGETALL', key('storages')), [storage_id($t), 0],
    'which Redis knows');
is(scalar log_lines('is new, its id is ' . storage_id($t)), 1, 'that is said');


# --- what is to be removed, and what is not

my @posts = map { $t->post->{PostID} } 1 .. 3;

# with their files of long ago
age($t, 30, $t->files);

my (@gone, %trashed);
my %files = map { $_ => 1 } here();

sub stays { $files{ plant($t, @_) } = 1 }
sub goes  { push @gone, plant($t, @_) }

sub is_moved {
    my ($folder, $id, $suffix, $days) = @_;

    my $from = plant($t, shard($folder, $id, $suffix), $days);

    push @gone, $from;
    $trashed{"trash/$folder/$id.$suffix"} = $from;
}

# so that one shard has more than one file
my $like = id();

sub neighbour { substr($like, 0, 4) . substr id(), 4 }

# of posts that were not made
is_moved('images', id(), 'jpg', 1.01);
is_moved('images', neighbour(), 'jpg', 300);
is_moved('originals', $like, 'png', 2);
is_moved('originals', neighbour(), 'bmp', 2);
is_moved('originals', neighbour(), 'jpg', 2);
is_moved($_, 'abcd0000-0000-4000-8000-00000000000f', 'jpg', 2)
    for qw(images originals);
is_moved('images', neighbour(), 'jpg', 2) for 1 .. 150;

# or that may yet be made
stays(shard('images', id(), 'jpg'), 0.9);
stays(shard('originals', neighbour(), 'png'), 0);

# of an upload whose record is there
{
    my $id = id();

    stays("uploads/$id.info", 0.5);
    stays(shard($_, $id, 'jpg'), 3) for qw(images originals);
}

# what was not named here
stays("images/README.jpg", 9);
stays(shard('images', $like, 'png'), 9);
stays(shard('images', $like, 'jpg.bak'), 9);
stays(shard('images', uc neighbour(), 'jpg'), 9);
stays('images/xx/yy/' . id() . '.jpg', 9);
stays("images/$_/eeff" . substr(id(), 4) . '.jpg', 9) for qw(00/ff ee/00);
stays('images/' . substr($like, 0, 2) . "/$like.jpg", 9);
stays("originals/$like.png", 9);
stays(shard('originals', $like, 'gif'), 9);
stays(shard('originals', $like, 'info'), 9);

# temporary files
goes("tmp/$like.$_", 1.01) for qw(body original jpeg id);
stays("tmp/$posts[0].$_", 0.9) for qw(body original jpeg);
stays("tmp/$_", 9) for 'x.body', "$like.txt", $like, "$like.body~";

# uploads
for my $case ([1.1, 1.1], [0.9, 1.1], [1.1, 0.9], [undef, 1.1], [1.1]) {
    my $id = id();
    my $old = !grep { defined && $_ < 1 } @$case;

    for my $part ('', '.info') {
        my $days = shift @$case // next;

        $old ? goes("uploads/$id$part", $days)
            : stays("uploads/$id$part", $days);
    }
}

stays("uploads/$_", 9) for 'x', "$like.txt", "$like.info~";

# the trash
goes("trash/$_", 7.01) for "images/$like.jpg", "originals/$like.png";
stays("trash/$_", 6.9) for map { ('images/' . id() . '.jpg',
    'originals/' . id() . '.bmp') } 1, 2;
stays("trash/$_", 99) for 'x', "$like.jpg", 'images/x.jpg',
    "originals/$like.txt", "images/$like";

# what is not a file
my $folder = shard('images', neighbour(), 'jpg');
my $link = shard('images', neighbour(), 'jpg');
my ($first) = grep { /images/ } keys %files;

mkdir $t->storage . "/$folder";
symlink $t->storage . "/$first", $t->storage . "/$link";
system 'touch', '-h', '-d', '9 days ago', map { $t->storage . "/$_" } $folder,
    $link;
symlink $t->storage . "/trash", $t->storage . '/images/ff';
$files{$link} = 1;

# a link to a folder is not followed
stays("trash/ee/ffee" . substr($like, 4) . '.jpg', 9);


# off

my @before = here();

$t->reload;
sleep 6;    # a worker's first sweep would be after 5
is_deeply([here()], \@before, 'nothing is touched where sweeping is off');


# on, beside an upload on its way

my $content = slurp($t->storage . '/' . $trashed{"trash/originals/$like.png"});

my $converter = $t->converter_pid;

suspend($converter);

my $upload = $t->upload($png);

ok(wait_for(sub { (() = $t->files('tmp')) == @before + 3 - (() = grep {
    !/^tmp/ } @before) }, 30), 'an upload is being made');

my ($id) = map { m{/(.*)\.original$} }
    grep { my $file = $_; !grep { $_ eq $file } @before } $t->files('tmp');

$t->reload(settings => { %settings, sweep => '300ms' });
ok(wait_for(sub { log_lines('imagegram: swept') }, 60), 'swept');
swept_twice($t);

kill 'CONT', $converter;

is($upload->response->{status}, 201, 'what was being made is there');
$files{$_} = 1 for shard('images', $id, 'jpg'), shard('originals', $id, 'png');

my $now = time;

is_deeply([here()], [sort keys %files, keys %trashed],
    'exactly what was planted is removed');
ok(-d $t->storage . "/$folder", 'a folder stays');
ok(-l $t->storage . "/$link", 'a link stays');
is_deeply([sort map { $_->{PostID} } @{ ($t->walk('posts?limit=10'))[0] }],
    [sort @posts, $id], 'the posts are there');
is($t->get($_->{Image})->{status}, 200, 'with their images')
    for @{ ($t->walk('posts?limit=10'))[0] };

is(slurp($t->storage . "/trash/originals/$like.png"), $content,
    'what is in the trash is what it was');
is_deeply([grep { my $time = (stat $t->storage . "/$_")[9];
    $time < $now - 100 || $time > $now } keys %trashed], [],
    'and is from now');


# the log says so, once

my @lines = log_lines('imagegram: swept');
my $images = grep { m{^trash/images} } keys %trashed;
my $originals = keys(%trashed) - $images;
my $line = sprintf 'removed from uploads %d, tmp %d, trash %d; moved to trash'
    . ' from images %d, originals %d', 3, 4, 2, $images, $originals;

is(join(' ', map { sprintf '%04o', 07777 & (stat $t->storage . "/$_")[2] }
    qw(id sweep.lock uploads)), '0640 0640 0750', 'whatever the umask is');

like($lines[0], qr/\[notice\].* imagegram: swept "\Q@{[ $t->storage ]}\E": /,
    'a line in the log');
like($lines[0], qr/: $line$/, 'says what was done');
is_deeply([grep { !/uploads 0, tmp [1-3], trash 0; .* images 0, originals 0$/ }
    @lines[1 .. $#lines]], [], 'and not more than that');


# PostIDs that were given up

my @buried = sort map { m{([^/]+)\.} } keys %trashed;
my %once = map { $_ => 1 } @buried;

is_deeply([sort map { /([^:]+)$/ } @{ $t->redis('KEYS', key('buried', '*')) }],
    [sort keys %once], 'their PostIDs are buried, and no others');
cmp_ok($t->redis('TTL', key('buried', $buried[0])), '<=', 86400, 'for a day');
cmp_ok($t->redis('TTL', key('buried', $buried[0])), '>', 86000, 'not less');


# --- a late script: what was given up meanwhile becomes no post

ok(wait_for(sub { $t->worker_pids == 1 }, 60), 'the old worker is gone');
$converter = $t->converter_pid;
suspend($converter);

@before = $t->files('tmp');
$upload = $t->upload($png);
ok(wait_for(sub { (() = $t->files('tmp')) == @before + 3 }, 30),
    'an upload waits');

($id) = map { m{/(.*)\.jpeg$} }
    grep { my $file = $_; !grep { $_ eq $file } @before } $t->files('tmp');

$t->redis('SET', key('buried', $id), 1, 'EX', 86400);
kill 'CONT', $converter;

is($upload->response->{status}, 503, 'its post is refused');
is_deeply([grep { /\Q$id/ } here()], [], 'its files are removed');
is($t->get("posts/$id")->{status}, 404, 'there is no such post');

# likewise what was deleted

$t->delete("posts/$posts[0]");
is($t->redis('EXISTS', key('buried', $posts[0])), 1,
    'the PostID of a deleted post is buried, too');


# --- files that cannot be moved, all for the same reason

my $stuck = $t->storage . '/images/55/55';

# without a sweeper

$t->replace_workers(settings => {%settings});
plant($t, shard('images', "5555$_" . substr(id(), 5), 'jpg'), 2) for 1 .. 5;
chmod 0550, $stuck;

$t->expect_log(qr/moving "\Q$stuck\E.*" to ".*" failed/,
    qr/more files of ".*" could not be removed or moved/);
$t->reload(settings => { %settings, sweep => '300ms' });
ok(wait_for(sub { log_lines('could not be removed or moved') }, 60),
    'files that cannot be moved');
is(scalar log_lines('moving ".*failed'), 1, 'the first is named');
like((log_lines('could not be removed or moved'))[0], qr/ 4 more files/,
    'the others are counted');
chmod 0750, $stuck;


# --- steps: by threads, few entries each

my @steps = map { /(\d+)#(\d+): imagegram sweep step: .* entries:(\d+)/
    ? [$1, $2, $3] : () } log_lines('imagegram sweep step');

cmp_ok(scalar @steps, '>', 10, 'a sweep has steps');
is_deeply([grep { $_->[0] == $_->[1] } @steps], [], 'all of them in threads');
is_deeply([grep { $_->[2] > 71 } @steps], [], 'of few entries each');

# in between, a timer of 20 ms in the event loop

my ($sweep) = $t->log =~ /(imagegram sweep step: "images".*?"originals")/s;
my @found = $sweep =~ /found:[1-9]/g;
my (undef, @between) = split /imagegram sweep step/, $sweep;

pop @between;
cmp_ok(scalar @found, '>=', 3, 'more files than one step may find');
is_deeply([grep { !/event timer add: -?\d+: 20:/ } @between], [],
    'a pause after each');

done_testing();
