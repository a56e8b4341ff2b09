#!/usr/bin/perl

# A storage whose files and folders somebody changes while nginx runs: what
# cannot be done is told and said, nothing is lost, and it goes on once they are
# as they were.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp spew wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Storage qw(id number plant shard swept_twice);
use Imagegram::Tus;
use Test::More;


my $t = Imagegram->new(settings => { sweep => '100ms' })->start;
my $storage = $t->storage;
my $png = Imagegram::Image::png(8, 8);

sub is_said {
    my ($line, $name) = @_;
    ok(wait_for(sub { $t->log =~ $line }, 60), "said: $name")
        or diag($t->log(5));
}

# While what is below the storage is moved away, and something else there

sub instead {
    my ($name, $make, $check) = @_;

    my $file = "$storage/$name";

    rename $file, "$file.away" or die "$file: $!\n";
    $make->($file);
    $check->();
    -d $file && !-l $file ? rmdir $file : unlink $file;
    rename "$file.away", $file or die "$file: $!\n";
}

# While a folder below the storage has this mode

sub with_mode {
    my ($mode, $folder, $check) = @_;

    my $path = "$storage/$folder";
    my $before = (stat $path)[2] & 07777;

    chmod $mode, $path or die "$path: $!\n";
    $check->();
    chmod $before, $path;
}

sub form { $t->form('posts', [author => 'ann', body => 'x', image => $png]) }


# --- what the sweeper needs

ok(wait_for(sub { !-e "$storage/new" }, 60), 'the storage is known');
swept_twice($t);

my $orphan = plant($t, shard('images', id(), 'jpg'), 2);

ok(wait_for(sub { !-e "$storage/$orphan" }, 60), 'it is swept');

my $old = 'tmp/' . id() . '.body';

for my $case (
    ['id',         sub { },                      2,  'No such file'],
    ['id',         sub { spew($_[0], "x\n") },   22, 'Invalid argument'],
    ['id',         sub { mkdir $_[0] },          21, 'Is a directory'],
    ['sweep.lock', sub { mkdir $_[0] },          21, 'Is a directory'],
) {
    my ($name, $make, $errno, $error) = @$case;

    instead($name, $make, sub {
        is_said(qr/imagegram: storage "\Q$storage\E" cannot be swept \($errno:/,
            "$name: $error");

        # a sweep that was at work before may have ended since

        sleep 1;
        plant($t, $old, 2);
        sleep 1;
        ok(-e "$storage/$old", 'so it is not swept');
        is(form()->{status}, 201, 'posts are made');
    });

    ok(wait_for(sub { !-e "$storage/$old" }, 60), "$name: it is swept again");
}

# a number that is none is an early one, and is written anew

instead('sweep.lock', sub { spew($_[0], "x\n"); chmod 0666, $_[0] }, sub {
    ok(wait_for(sub { number($t) =~ /^\d+$/ }, 60), 'a number');
    $orphan = plant($t, shard('images', id(), 'jpg'), 2);
    ok(wait_for(sub { !-e "$storage/$orphan" }, 60), 'it is swept');
});

# nothing can be written there; what needs no number is removed

$t->expect_log(qr/\[crit\].*sweep\.lock" cannot be written/);
instead('sweep.lock', sub { symlink '/dev/full', $_[0] }, sub {
    is_said(qr/"\Q$storage\E\/sweep\.lock" cannot be written \(28: No space/,
        'sweep.lock: a full disk');
    $orphan = plant($t, shard('images', id(), 'jpg'), 2);
    swept_twice($t);
    ok(-e "$storage/$orphan", 'images are not swept');
});
ok(wait_for(sub { !-e "$storage/$orphan" }, 60), 'they are after that');


# --- folders that nobody may look into

$t->expect_log(qr/\[crit\].*opendir\(\) ".*uploads" failed \(13: /,
    qr/\[crit\].*unlink\(\) ".*" of ".*tmp" failed \(13: /,
    qr/\[crit\].*files of ".*" could not be removed or moved/);

with_mode(0000, 'uploads', sub {
    $orphan = plant($t, shard('images', id(), 'jpg'), 2);
    is_said(qr/\[error\].*opendir\(\) "\Q$storage\E\/uploads" failed \(13: /,
        'uploads: not to be read');
    is_said(qr/"\Q$storage\E\/uploads\/.*\.info" cannot be examined \(13: /,
        'whether a file is of an upload');
    swept_twice($t);
    ok(-e "$storage/$orphan", 'so it may be of one');
    is(form()->{status}, 201, 'posts are made');
});
ok(wait_for(sub { !-e "$storage/$orphan" }, 60), 'it is swept after that');

my $id = '00' . substr id(), 2;

$orphan = plant($t, shard('images', $id, 'jpg'), 2);

with_mode(0000, 'images/00', sub {
    is_said(qr/folder "00" of "\Q$storage\E\/images" cannot be opened \(13: /,
        'images/00: not to be read');
    my $other = plant($t, shard('images', 'ff' . substr(id(), 2), 'jpg'), 2);

    ok(wait_for(sub { !-e "$storage/$other" }, 60), 'others are swept');
});
ok(wait_for(sub { !-e "$storage/$orphan" }, 60), 'it is after that');

with_mode(0550, 'tmp', sub {
    my $before = number($t);

    plant($t, "tmp/$id.$_", 2) for qw(body original jpeg);
    is_said(qr/unlink\(\) "$id\.\w+" of "\Q$storage\E\/tmp" failed \(13: /,
        'tmp: not to be written');
    is_said(qr/2 more files of "\Q$storage\E" could not be removed or moved/,
        'and of how many');
    ok(wait_for(sub { number($t) > $before }, 60), 'the sweep goes on');
});
ok(wait_for(sub { !grep { /$id/ } $t->files('tmp') }, 60),
    'they are removed after that');


# --- where posts are to be

for my $case (
    ['tmp',       0550, 'no file can be made'],
    ['images',    0440, 'the folder may not be entered'],
    ['originals', 0440, 'the folder may not be entered'],
    ['images',    0330, 'the folder cannot be synced'],
    ['originals', 0330, 'the folder cannot be synced'],
) {
    my ($folder, $mode, $what) = @$case;
    my $name = "$folder: $what";

    $t->expect_log(qr/\[crit\].*\(13: Permission denied\)/);

    my $upload = Imagegram::Tus->create($t, $png);
    my $before = $t->stored;
    my $logged = length $t->log;

    with_mode($mode, $folder, sub {
        is_problem(form(), 503, $name);
        like(substr($t->log, $logged), qr/\[crit\].*"\Q$storage\E.*\(13: /,
            'said why');
    });

    is_deeply($t->stored, $before, 'nothing is left');

    with_mode($mode, $folder, sub {
        is_problem($upload->patch(0, $png), 503, "$name, of an upload");
        is($upload->offset, length $png, 'which has all of its bytes');
        is($t->get('posts')->{status}, 200, 'readers do not notice');
    });

    is(form()->{status}, 201, "$name: posts are made after that");
    ok(wait_for(sub { $upload->post }, 60), 'and of the upload');
}


# --- records of uploads

$t->expect_log(qr/\[crit\].*upload .* cannot be opened \(21: /,
    qr/\[crit\].*unlink\(\) ".*" failed \(21: /);

sub upload {
    my ($change) = @_;

    my $u = Imagegram::Tus->create($t, $png);

    $change->("$storage/uploads/" . $u->id);

    return $u;
}

sub is_gone {
    my ($change, $name) = @_;

    my $u = upload($change);

    is($u->head->{status}, 404, "$name: HEAD");
    is_problem($u->patch(0, $png), 404, "$name: PATCH");
    is_problem($u->request('DELETE'), 404, "$name: DELETE");
}

is_gone(sub { unlink $_[0] }, 'its bytes are gone');
is_gone(sub { unlink "$_[0].info" }, 'its record is gone');
is_gone(sub { truncate "$_[0].info", 20 }, 'its record is cut off');
is_gone(sub { truncate "$_[0].info", (-s "$_[0].info") - 1 },
    'its texts are cut off');
is_gone(sub { spew("$_[0].info", slurp("$_[0].info"), 'x') },
    'its texts are longer');
is_gone(sub { spew("$_[0].info", 'x' x -s "$_[0].info") }, 'it is none');

for my $part ('', '.info') {
    my $u = upload(sub { unlink "$_[0]$part"; mkdir "$_[0]$part" });

    is($u->head->{status}, 503, "a folder$part: HEAD");
    is_problem($u->patch(0, $png), 503, "a folder$part: PATCH");
    is_said(qr/upload @{[ $u->id ]} cannot be opened \(21: Is a directory/,
        'it cannot be opened');
}

# longer than it was to be

my $u = upload(sub { truncate $_[0], 2 * length $png });

is($u->head->{status}, 200, 'more bytes than it was to have');
is_problem($u->patch(length $png, 'x'), 409, 'nothing is added');


# --- images

my $post = $t->post;
my $image = 'images/' . substr $post->{Image}, length '/images/';
my $encoded = $t->get('posts?images=base64&limit=1')->{json}{posts}[0];

isnt($encoded->{Image}, '', 'an image in base64');

instead($image, sub { mkdir $_[0] }, sub {
    my $r = $t->get('posts?images=base64&limit=1');

    is($r->{json}{posts}[0]{Image}, '', 'a folder instead: none');
    is_said(qr/reading the image of post $post->{PostID} .* failed \(21: /,
        'it cannot be read');
});

instead($image, sub { symlink $_[0], $_[0] }, sub {
    my $r = $t->get('posts?images=base64&limit=1');

    is($r->{json}{posts}[0]{Image}, '', 'a link to itself: none');
    is_said(qr/opening the image of post $post->{PostID} .* failed \(40: /,
        'it cannot be opened');
});

is_deeply($t->get('posts?images=base64&limit=1')->{json}{posts}[0], $encoded,
    'the image after that');

# a post goes, whatever is in place of its files

unlink "$storage/$image";
mkdir "$storage/$image";
is($t->delete("posts/$post->{PostID}")->{status}, 204, 'its post goes');
is($t->get("posts/$post->{PostID}")->{status}, 404, 'and is gone');
is_said(qr/unlink\(\) "\Q$storage\E\/$image" failed \(21: Is a directory/,
    'what remains');
is_deeply([grep { /$post->{PostID}/ } $t->files], [], 'its original is gone');


# --- when a worker starts

$t->expect_log(qr/worker process \d+ exited on signal 9/,
    qr/the id of storage ".*" cannot be handled/);

my ($worker) = $t->worker_pids;

instead('id', sub { }, sub {
    kill 'KILL', $worker;
    is_said(qr/the id of storage "\Q$storage\E" cannot be handled \(2: /,
        'id: it is gone when a worker starts');
    is(form()->{status}, 201, 'posts are made');
});
swept_twice($t);


# --- a new one that nobody may write to, once Redis is there to be told

$t->expect_log(qr/\[crit\].*connect\(\) to unix:.* failed \(2: /);
$t->stop_nginx;
$t->stop_redis;
$storage = $t->dir . '/another';
$t->{settings}{storage} = $storage;
$t->start_nginx;

my $number = slurp("$storage/id");

with_mode(0550, '', sub {
    $t->start_redis;
    is_said(qr/the id of storage "\Q$storage\E" cannot be handled \(13: /,
        'new: it cannot be removed');
});
is(slurp("$storage/new"), $number, 'it is new still');
kill 'KILL', $t->worker_pids;
ok(wait_for(sub { !-e "$storage/new" }, 60), 'the next worker tells Redis');

my %known = @{ $t->redis('HGETALL', 'imagegram:{0}:storages') };

ok(exists $known{ $number =~ s/\n//r }, 'which knows it');

done_testing();
