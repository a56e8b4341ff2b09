#!/usr/bin/perl

# A disk without room: 507, nothing is left behind, everything else goes on.
# The storage is a file system of its own, which only root can mount.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram;
use Imagegram::Assert;
use Imagegram::Image;
use Test::More;


use constant SIZE   => 4 << 20;
use constant INODES => 400;

my $t = Imagegram->new(http2 => 1);
my $disk = $t->storage;

# before the end of Imagegram, which removes the folder

my $mounted;
END { my $status = $?; system "umount -l $disk" if $mounted; $? = $status }

mkdir $disk;
$mounted = !system "mount -t tmpfs -o size=@{[ SIZE ]},nr_inodes=@{[ INODES ]}"
    . ",mode=777 tmpfs $disk 2>/dev/null"
    or plan skip_all => 'no file system can be mounted here';

$t->start;
$t->expect_log(qr/\[crit\].*: No space left on device\)/,
    qr/\[crit\].*\(28: No space left on device\)/);

my $png = Imagegram::Image::png(8, 8);
my $id = $t->post(image => $png)->{PostID};

sub image { { file => Imagegram::Image::big_bmp($t->dir . '/image', $_[0]) } }

sub no_room {
    my ($what, $send) = @_;

    my $before = $t->stored;

    is_problem($send->(), 507, $what);
    is_deeply($t->stored, $before, "$what: nothing is left");
    is($t->get("posts/$id")->{status}, 200, "$what: who reads does not notice");
    is($t->comment($id)->{PostID}, $id, "$what: nor who comments");
}

sub form {
    my ($image, %options) = @_;

    return $t->form('posts', [author => 'ann', body => 'x', image => $image],
        %options);
}

sub json {
    my ($image) = @_;

    my ($type, $body, $length) = Imagegram::Body::json_body(author => 'ann',
        body => 'x', image_contents => $image);

    return $t->request('POST', 'posts', body => $body, length => $length,
        headers => ['Content-Type' => $type]);
}


# room for the body, its original and the JPEG; for the body alone; for less

is(form(image(SIZE / 4))->{status}, 201, 'there is room');
no_room('no room for the original',  sub { form(image(SIZE / 2)) });
no_room('likewise, in JSON',         sub { json(image(SIZE / 2)) });
no_room('no room for the body',      sub { form(image(SIZE)) });
no_room('likewise, in chunks', sub { form(image(SIZE), chunked => 1) });
no_room('likewise, in JSON',         sub { json(image(SIZE)) });

SKIP: {
    skip 'curl is missing, or does not speak HTTP/2', 1
        if `curl --version 2>/dev/null` !~ /\bHTTP2\b/;

    # what curl says of an answer that comes while it sends is not always it

    my $before = $t->stored;
    my $file = image(SIZE)->{file};

    $t->curl(2, 'posts', '--http2-prior-knowledge', '--stderr', '/dev/null',
        '-F', 'author=ann', '-F', 'body=x', '-F', "image=\@$file");
    is_deeply($t->stored, $before, 'HTTP/2: nothing is left');
}


# not a byte, and not a file more

my $filler = "$disk/filler";

system "dd if=/dev/zero of=$filler bs=64k 2>/dev/null";
no_room('a disk that is full', sub { form($png) });
unlink $filler;
is(form($png)->{status}, 201, 'there is room again');

# file after file: for what is received and made, then for the folders

my @files;

for my $n (1 .. INODES) {
    open my $file, '>', "$disk/$n" or last;
    push @files, "$disk/$n";
}

my $refused = 0;

while (@files) {
    my $before = $t->stored;
    my $r = form($png);

    last if $r->{status} == 201;

    is_problem($r, 507, "room for $refused files");
    is_deeply($t->stored, $before, 'nothing is left');
    unlink shift @files;
    $refused++;
}

cmp_ok($refused, '>', 3, 'a post needs more than its three files');
unlink @files;
is(form($png)->{status}, 201, 'there is room again');
is_deeply([$t->files('tmp')], [], 'nothing remains in tmp/');

like($t->log, qr{creating a file in "\Q$disk\E/tmp" failed \(28},
    'the log says where');
like($t->log, qr{files of post [0-9a-f-]{36} in place below "\Q$disk\E"},
    'and of which post');

my $image = "$disk/images/" . join('/', $id =~ /^(..)(..)/) . "/$id.jpg";

chmod 0, $image;
is($t->get("posts/$id?images=base64")->{json}{Image}, '',
    'an image that cannot be read is an empty one');
like($t->log, qr{opening the image of post $id below "\Q$disk\E" failed \(13},
    'which the log says, too');

done_testing();
