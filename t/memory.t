#!/usr/bin/perl

# Memory that is not there: for each kind of request, each allocation fails
# once.  Whoever asks gets a clear answer or none, and nothing else happens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);

use Imagegram qw(alive open_files slurp spew wait_for);
use Imagegram::Image;
use Imagegram::Requests;
use Test::More;


plan skip_all => 'the sanitizers have an allocator of their own'
    if Imagegram->sanitized;

my $folder = tempdir(CLEANUP => 1);
my $control = "$folder/control";

chmod 0755, $folder;
spew($control, pack 'i3', 0, 0, 0);
chmod 0666, $control;
Imagegram->compile('no_memory.c', "$folder/no_memory.so",
    qw(-shared -fPIC -fno-builtin), qq(-DCONTROL="$control"));

my $t = Imagegram->new(
    Imagegram::Requests::options(),
    preload => "$folder/no_memory.so",
)->start;

# nginx says what it could not get; what depended on it says so, too
$t->expect_log(qr/(?:malloc|memalign|calloc)\(.*Cannot allocate memory/,
    qr/\[(?:emerg|alert|crit|error)\]/);


sub fail_at {
    my ($pid, $n) = @_;

    open my $file, '+<:raw', $control or die "$control: $!\n";
    syswrite $file, pack 'i3', $pid, $n, 0;
}

sub failed { (unpack 'i3', slurp($control))[2] }


my $requests = Imagegram::Requests->new($t);
my $post = $requests->{post};
my ($worker) = $t->worker_pids;

# so that all that is made once is there

$t->request($requests->stage($_)) for $requests->kinds;
wait_for(sub { $t->get('/posts', port => 2)->{status} == 200 }, 10);

my $open = open_files($worker);

for my $what ($requests->kinds) {
    my ($n, %statuses, $normal) = (0);

    while (++$n < 500) {
        my @request = $requests->stage($what);

        fail_at($worker, $n);

        my $r = $t->request(@request);

        if (!failed()) {
            $normal = $r->{status};
            fail_at(0, 0);
            last;
        }

        $statuses{ $r->{status} }++;
        last if !alive($worker);
    }

    ok(alive($worker), "$what: the worker lives") or last;
    like($normal, qr/^(?:20|404)/, "$what: $n, and it has what it needs");
    cmp_ok($n, '>', 5, 'which was more than a few allocations');
    is_deeply([grep { !/^(?:0|2..|401|404|50.)$/ } keys %statuses], [],
        'who did not get it got a clear answer') or diag(explain(\%statuses));
}

is_deeply([$t->worker_pids], [$worker], 'the worker is the one that began');
ok(wait_for(sub { open_files($worker) <= $open }, 30), 'and holds nothing')
    or diag(open_files($worker), " > $open");
ok(wait_for(sub { !$t->conversion_pids }, 30), 'nothing is being converted');

my ($posts) = $t->walk('posts?limit=100');
my $check = grep { !/^2/ } map { ($t->get($_->{Image})->{status}) } @$posts;

is($check, 0, 'each post has its image');
is($t->get("posts/$post")->{json}{CommentCount},
    scalar @{ ($t->walk("posts/$post/comments?limit=100"))[0] },
    'and as many comments as it says');


# the child of a converter, by hand

my $photo = Imagegram::Image::jpeg(64, 48);
my %pictures = (
    PNG               => $requests->{image},
    'an interlaced'   => Imagegram::Image::png(9, 9, interlaced => 1),
    BMP               => Imagegram::Image::bmp(9, 9),
    JPEG              => $photo,
    'a progressive'   => Imagegram::Image::jpeg(64, 48,
        options => ['-progressive']),
);

for my $what (sort keys %pictures) {
    my ($n, %results) = (0);

    spew("$folder/in", $pictures{$what});

    while (++$n < 2000) {
        fail_at(0, $n);

        my $line = join '', `timeout 20 env LD_PRELOAD=$folder/no_memory.so @{[
            $t->converter ]} $folder/in $folder/out 2>&1`;
        my $status = $? & 127 ? "signal $?" : $? >> 8;

        last if !failed();
        $results{$status}++;
        $results{'no word'}++ if $status && $line !~ /\S/;
    }

    is_deeply([grep { !/^[012]$/ } keys %results], [],
        "$what, $n allocations: each may fail") or diag(explain(\%results));
}

fail_at(0, 0);

done_testing();
