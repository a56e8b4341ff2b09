#!/usr/bin/perl

# A disk that is full, at each step of an upload: 507, what was received counts,
# and once there is room all goes on by itself.  Needs root, and to be allowed
# to mount a small file system.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);

use Imagegram qw(slurp wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Tus qw(create_request);
use Test::More;


my $t = Imagegram->new;
my $disk = $t->storage;
my $mounted;

mkdir $disk;
$mounted = $> == 0 && system('mount -t tmpfs -o size=4m,mode=777 none '
    . "'$disk' > /dev/null 2>&1") == 0
    or plan skip_all => 'needs to mount a file system';

# before the folder is removed
END {
    my $status = $?;

    $t->stop_nginx if $t;
    system("umount '$disk'") if $mounted;
    $? = $status;
}

$t->start;
$t->expect_log(qr/No space left on device/);

my $bmp = Imagegram::Image::bmp(300, 300);
my $size = length $bmp;


# Leaves that much room; without a number all there is.  A converter that ends
# may give some back a moment later.

sub room {
    my ($room) = @_;

    unlink "$disk/fill";
    return unless defined $room;

    my $more = 1;

    open my $file, '>', "$disk/fill" or die "fill: $!\n";

    while ($more) {
        $more = 0;
        while (syswrite $file, 'x' x 4096) { $more = 1 }
        select undef, undef, undef, 0.3;
    }

    truncate $file, (-s $file) - $room or die "truncate: $!\n";
}

sub uploads { grep { !/\.info$/ } $t->files('uploads', 'tmp') }

sub made {
    my ($u, $what) = @_;

    ok(wait_for(sub { $t->get('posts/' . $u->id)->{status} == 200 }, 30),
        $what);

    my $id = $u->id;
    my ($path) = grep { /$id/ } $t->files('originals');

    ok(slurp("$disk/$path") eq $bmp, "$what: every byte is there");
    is(scalar(() = grep { /$id/ } $t->files('images')), 1, "$what: its image");
    is($t->delete("posts/$id")->{status}, 204, "$what: deleted");
    is($u->request('DELETE')->{status}, 204, "$what: forgotten");
    is_deeply([$t->files], [], "$what: nothing is left");
}


# --- a creation

room(0);
is_problem(create_request($t, $size), 507, 'no room for the record');
is_deeply([$t->files], [], 'nothing is left');

room(100_000);
is_problem(create_request($t, $size, body => $bmp), 507,
    'no room for the bytes of a creation');
is_deeply([$t->files], [], 'nothing is left');
room();


# --- a chunk

my $u = Imagegram::Tus->create($t, $bmp);

room(100_000);
is_problem($u->patch(0, $bmp), 507, 'no room for a chunk');

my $at = $u->offset;

ok($at > 50_000 && $at <= 100_000, 'what found room counts') or diag($at);
is_problem($u->patch($at, substr $bmp, $at), 507, 'still no room');
room();
is($u->patch($u->offset, substr $bmp, $u->offset)->{status}, 204, 'the rest');
made($u, 'room for a chunk again');

# of a chunk with a checksum nothing counts

$u = Imagegram::Tus->create($t, $bmp);
room(100_000);
is_problem($u->patch(0, $bmp, sha1 => sha1_hex($bmp)), 507,
    'no room for a chunk with a checksum');
is($u->offset, 0, 'none of it counts');
is(-s "$disk/uploads/" . $u->id, 0, 'it was dropped');
room();
is($u->patch(0, $bmp, sha1 => sha1_hex($bmp))->{status}, 204, 'once more');
made($u, 'room for a checked chunk again');


# --- the last step

$u = Imagegram::Tus->create($t, $bmp);
$u->patch(0, substr $bmp, 0, -1);
room(0);
is_problem($u->patch($size - 1, substr $bmp, -1), 507, 'no room for the JPEG');

my $r = $u->head;

is($r->{status}, 200, 'HEAD does not fail');
is($r->{headers}{'upload-offset'}, $size, 'it is complete');
ok(!$r->{headers}{'content-location'}, 'without a post');
is_problem($u->patch($size, ''), 507, 'an empty PATCH says so');
is_deeply([uploads()], ['uploads/' . $u->id], 'nothing else is left');
room();
made($u, 'room for the JPEG');


# --- the folder of uploads cannot be read for a while

$t->expect_log(qr{opendir\(\) ".*/uploads" failed},
    qr{connect\(\) to unix:.*/redis\.sock failed});
$u = Imagegram::Tus->create($t, $bmp);
$t->stop_redis;
is_problem($u->patch(0, $bmp), 503, 'Redis is away');
chmod 0300, "$disk/uploads";
ok(wait_for(sub { $t->log =~ /opendir/ }, 30), 'nobody sees what there is');
chmod 0750, "$disk/uploads";
$t->start_redis;
made($u, 'it is looked for again');

done_testing();
