#!/usr/bin/perl

# What nginx -t says to a storage whose folders and files are not what they
# should be, and to who is to own it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(slurp spew);
use Imagegram::Storage qw(storage_id);
use Test::More;


my @folders = qw(tmp images originals uploads trash trash/images
    trash/originals);
my $root = $> == 0;
my ($uid, $gid) = $root ? (getpwnam 'www-data')[2, 3] : ($>, $) + 0);

my $t = Imagegram->new;
my $storage = $t->storage;

# all of them are wished for, and end up in the log, too
$t->expect_log(qr/\[emerg\]/);

# Before the end of Imagegram, which removes the folder

my @mounted;
END { my $status = $?; system 'umount', '-l', $_ for @mounted; $? = $status }

sub mounted {
    my ($path, @arguments) = @_;

    system("mount @arguments $path 2>/dev/null") == 0 or return 0;
    push @mounted, $path;

    return 1;
}


# A storage of its own for each case, whose folders are there

sub fresh {
    my ($name) = @_;

    $storage = $t->dir . "/storage_$name";
    $t->{settings} = { storage => $storage };

    mkdir $storage;
    mkdir "$storage/$_" for @folders;
    chown $uid, $gid, $storage, map { "$storage/$_" } @folders;
}

sub is_refused {
    my ($message, $name) = @_;

    my ($status, $output) = $t->check_conf;

    isnt($status, 0, "$name: refused");
    like($output, qr/\[emerg\] .*imagegram_storage "$storage$message/,
        "$name: and said why");
}

sub is_accepted {
    my ($name) = @_;

    my ($status, $output) = $t->check_conf;

    is($status, 0, "$name: accepted") or diag($output);
}

# with the configuration changed, which is made from the options otherwise

sub with_conf {
    my ($change, $check) = @_;

    local $_ = $t->conf;

    $change->();
    $t->{conf} = $_;
    $check->();
    delete $t->{conf};
}


# --- the default: below the prefix, for the user that nginx falls back to

my ($nobody, $nogroup) = slurp("$t->{build}/ngx_auto_config.h")
    =~ /#define NGX_(?:USER|GROUP)\s+"(.*)"/g;

$t->{settings} = { storage => undef };
$t->{server} = 'location /twice/ { imagegram; }';

with_conf(sub { s/^user .*;\n//m }, sub { is_accepted('the default') });
delete $t->{server};

is((() = glob $t->dir . '/imagegram/{id,new}'), 2, 'it is below the prefix');
is((stat $t->dir . "/imagegram/$_")[4], $root ? (getpwnam $nobody)[2] : $>,
    "whose \"$_\" is the workers'") for '', @folders, 'id';

SKIP: {
    skip 'only root may choose a user, and mount', 8
        if !$root || system 'unshare -m true 2> /dev/null';

    fresh('root');
    with_conf(sub { s/^user .*;$/user root;/m },
        sub { is_accepted('for root') });

    # that is known too late, where it has been given to somebody

    fresh('late');
    with_conf(sub { s/^(user .*;)\n//m; $_ .= "$1\n" }, sub {
        chown((getpwnam $nobody)[2, 3], $storage, map { "$storage/$_" }
            @folders);

        my ($status, $output) = $t->check_conf;

        isnt($status, 0, '"user" behind "http"');
        like($output, qr/\[emerg\] .*set up for user "$nobody", but workers/,
            'is told');
    });
    with_conf(sub { s/^user .*;\n//m; $_ .= "user $nobody $nogroup;\n" },
        sub { is_accepted('"user" behind "http", but the same') });

    # who is no user where there are other files of users

    spew($t->dir . '/passwd', "root:x:0:0:root:/root:/bin/sh\n");
    spew($t->dir . '/nsswitch.conf', "passwd: files\ngroup: files\n");
    spew($t->dir . '/alone', map({ "mount --bind @{[ $t->dir ]}/$_ /etc/$_\n" }
        'passwd', 'nsswitch.conf'), 'exec "$@"', "\n");
    local $t->{wrap} = 'unshare -m sh ' . $t->dir . '/alone';

    with_conf(sub { s/^user .*;\n//m }, sub {
        my ($status, $output) = $t->check_conf;

        isnt($status, 0, 'nobody to fall back to');
        like($output, qr/user "$nobody" .*not found, set "user"/,
            'is told');
    });

    # in a container that may not change users

    $t->{wrap} = 'setpriv --bounding-set=-setgid,-setuid'
        . ' --inh-caps=-setgid,-setuid';

    my ($status, $output) = $t->check_conf;

    isnt($status, 0, 'a user that cannot be become');
    like($output, qr/cannot become user "www-data" for a check.*permitted/,
        'is told');
}


# --- what is in the way

for my $folder ('', '/tmp', '/images', '/trash/originals') {
    my $name = "a file in place of \"$folder\"";

    fresh("file$folder" =~ s{/}{_}gr);
    system 'rm', '-r', "$storage$folder";
    spew("$storage$folder", '');
    is_refused("$folder\" cannot be made \\(20: Not a directory\\)", $name);
}

for my $kind (
    [file => sub { spew($_[0], '') }, 20],
    [link => sub { symlink $t->dir, $_[0] }, 20],
    [away => sub { symlink '/nonexistent', $_[0] }, 20],
) {
    my ($name, $make, $errno) = @$kind;

    fresh("new_$name");
    rmdir "$storage/images";
    $make->("$storage/images.new");
    is_refused("/images\" cannot be made \\($errno: ", "images.new: a $name");
    ok(!-e "$storage/images", 'it was not made');
}

is((stat $t->dir)[4], $>, 'what a link leads to is not given away');

fresh('left');
rmdir "$storage/images";
mkdir "$storage/images.new", 0700;
is_accepted('a folder that was not given away yet');
is_deeply([(stat "$storage/images")[2, 4, 5]], [040750, $uid, $gid],
    'it is now');
ok(!-e "$storage/images.new", 'under its name');

fresh('links');
for my $folder (@folders[0 .. 3]) {
    rename "$storage/$folder", $t->dir . "/links_$folder";
    symlink $t->dir . "/links_$folder", "$storage/$folder";
}
is_accepted('links to folders');


# --- the id

for my $case (
    ['text',   sub { spew($_[0], "x\n") },        'holds no UUID'],
    ['empty',  sub { spew($_[0], '') },           'holds no UUID'],
    ['long',   sub { spew($_[0], 'a' x 99) },     'holds no UUID'],
    ['folder', sub { mkdir $_[0] },
        'cannot be read or made \(21: Is a directory'],
    ['link',   sub { symlink '/nonexistent', $_[0] },
        'cannot be read or made \(2: No such file'],
) {
    my ($name, $make, $message) = @$case;

    fresh("id_$name");
    $make->("$storage/id");
    is_refused("/id\" $message", "id: a $name");
    is((() = glob "$storage/tmp/*"), 0, 'nothing is left');
}

# of one that has files already Redis is not told, so "new" is not for it

fresh('used');
spew("$storage/images/x", '');
spew("$storage/new", "x\n");
is_accepted('a storage with files, and without an id');
ok(!-e "$storage/new", 'it is not new');

fresh('stuck');
spew("$storage/images/x", '');
mkdir "$storage/new";
is_refused('/id" cannot be read or made \(21: Is a directory',
    'new: a folder');
ok(!-e "$storage/id", 'there is no id');

fresh('begun');
spew("$storage/new", "83df3a6c-1487-41c5-815a-faef8c154816\n");
is_accepted('new: from one that was killed');
is(slurp("$storage/id"), slurp("$storage/new"), 'is the id');


# --- several at once: each finds what another one has just made

for my $n (1 .. 10) {
    $storage = $t->dir . "/storage_many_$n";
    $t->{settings} = { storage => $storage };

    my $command = $t->nginx_command('-t');
    my $said = `for i in 1 2 3 4 5 6; do
        ($command || echo failed) 2>&1 & done; wait`;

    ok($said !~ /failed/, "six at once, $n: accepted") or diag($said);
    is((() = glob "$storage/{id,new,*.new,tmp/*}"), 2, 'one id, and no more');
}


# --- file systems

SKIP: {
    my $apart = $t->dir . '/storage_apart';

    fresh('apart');
    skip 'no file system can be mounted here', 4
        unless $root && mounted("$storage/originals",
            '-t tmpfs -o mode=777 tmpfs');

    is_refused("/originals\" is not on the file system of \"$apart/tmp\"",
        'originals: a file system of its own');
    system 'umount', pop @mounted;

    fresh('locked');
    mounted("$storage/uploads", '-t tmpfs -o mode=777,ro tmpfs') or die;
    is_refused('/uploads" is not writable by user "www-data" \(30: Read-only',
        'uploads: on a disk that is read only');
}


# --- nginx that is not root

SKIP: {
    skip 'needs root, to become somebody', 6 unless $root;

    mkdir $t->dir . '/own';
    chown $uid, $gid, $t->dir . '/own';
    chmod 0777, map { $t->dir . $_ } '', '/logs', '/tmp';
    chmod 0666, glob $t->dir . '/logs/*';
    unlink $t->dir . '/nginx.pid';

    my $command = "setpriv --reuid=$uid --regid=$gid --clear-groups";

    skip 'the build is out of their reach', 6
        if system "$command test -r $t->{build}/ngx_http_imagegram_module.so";

    local $t->{wrap} = $command;

    $storage = $t->dir . '/own/storage';
    $t->{settings} = { storage => $storage };
    is_accepted('by www-data');
    is((stat "$storage/images")[4], $uid, 'who made it');

    $storage = $t->dir . '/foreign';
    $t->{settings} = { storage => $storage };
    mkdir "$storage.new";
    is_refused('" cannot be given to user "www-data" \(1: Operation not',
        'left by root');

    $storage = $t->dir . '/roots';
    $t->{settings} = { storage => $storage };
    mkdir $storage;
    mkdir "$storage/$_" for @folders;
    is_refused('/tmp" is not writable by user "www-data" \(13: Permission',
        'which root made');
}

done_testing();
