#!/usr/bin/perl

# Faults of Redis, again and again, a hundred connections at a time: each
# request gets its own answer or 503, the next one works soon after, and
# the worker is as small afterwards as before.  A fake server gives the fault
# that the PostID names.  IMAGEGRAM_ROUNDS is how often, 1,000 by default;
# "make rounds" does 10,000, as shipped and under AddressSanitizer, which then
# looks for leaks when the worker ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use Imagegram qw(memory open_files wait_for);
use Imagegram::FakeRedis qw(bulk);


my $rounds = $ENV{IMAGEGRAM_ROUNDS} // 1000;
my $locations = 100;

sub half { substr $_[0], 0, int rand length $_[0] }

# from the right reply to what is sent, and the statuses that may come of it

my @faults = (
    pieces   => [200, sub { [$_[0] =~ /(.{1,9})/gs] }],
    half     => [503, sub { \half($_[0]) }],
    hanging  => [503, sub { half($_[0]) }],
    silent   => [503, sub { '' }],
    closes   => [503, sub { \'' }],
    garbage  => [503, sub { "HTTP/1.1 400 Bad Request\r\n\r\n" }],
    binary   => [503, sub { join '', map { chr 128 + rand 128 } 1 .. 9999 }],
    spoiled  => [503, sub { half($_[0]) =~ s/\r\n\K.*//sr . "\$-9\r\n" }],
    endless  => [503, sub { "\$9999999999\r\n" . 'x' x 99 }],
    surplus  => [200, sub { "$_[0]+OK\r\n" }],
    loading  => [503, sub { "-LOADING Redis is loading the dataset\r\n" }],
    readonly => [503, sub { "-READONLY You can't write here\r\n" }],
    oom      => [503, sub { "-OOM command not allowed\r\n" }],
    noscript => [201, sub { $_[1] eq 'EVAL' ? $_[0] : "-NOSCRIPT None\r\n" }],
);

my @names = @faults[ grep { $_ % 2 == 0 } 0 .. $#faults ];
my %faults = @faults;

# the fault's number is in the ID, 99 for none

sub id { sprintf '%08x-0000-4000-8000-0000000000%02d', rand 2**32, $_[0] }

my $t = Imagegram->new(
    redis       => undef,
    leaks       => 1,
    connections => 2048,
    http        => 'keepalive_requests 1000000;',
    settings    => {
        redis => 'unix:%%DIR%%/fake.sock timeout=1s',
        cache => 'zone=feed:1m',
    },
    server      => join "\n", map { "location /$_/ { imagegram;
        imagegram_cache off; imagegram_redis unix:%%DIR%%/fake.sock
            timeout=1s connect_timeout=@{[ 1000 + $_ ]}ms; }"
    } 1 .. $locations,
);

# A subscription gets one fault after the other, too; what is fine is silent.

my @subscribed = ('', "+OK\r\n", \"*3\r\n\$9\r\nsub", "\0\xff", \'');

my $fake = Imagegram::FakeRedis->new($t->dir . '/fake.sock', sub {
    my ($n, @command) = @_;

    return "+PONG\r\n" if $command[0] eq 'PING';
    return ":1\r\n" if $command[0] =~ /^(?:EXISTS|PUBLISH)$/
        || "@command" =~ /:storages \S+:feed /;
    return "*3\r\n" . bulk('subscribe') . bulk($command[1]) . ":1\r\n"
        . $subscribed[ $n % 5 ] if $command[0] eq 'SUBSCRIBE'
        && !ref $subscribed[ $n % 5 ];
    return $subscribed[ $n % 5 ] if $command[0] eq 'SUBSCRIBE';

    my ($id, $fault) = "@command"
        =~ /(\w{8}-0000-4000-8000-0000000000(\d\d))(?!.*-0000-4000-8000-)/s
        or return "*1\r\n\$-1\r\n";

    my $reply = bulk($command[0] eq 'HGET'
        ? qq({"PostID":"$id","Timestamp":1,"Author":"a","Version":0,)
            . qq("Status":"ok","CommentCount":0,"Body":"b"\n"LastComments":[]})
        : qq({"CommentID":"$id","PostID":"$id","Timestamp":1,"Author":"a",)
            . '"Body":"b"}'
    );

    return $fault == 99 ? $reply
        : $faults{ $names[$fault] }[1]->($reply, $command[0]);
});

$t->expect_log(qr{connect\(\) to unix:.*/fake\.sock failed});
$t->start_nginx;
wait_for(sub { !-e $t->storage . '/new' }, 60);

my ($worker) = $t->worker_pids;


# Each client: a request with a fault, then one without until it gets through

my ($done, $begun, $early) = (0, 0);
my (%wrong, @slow, @late);

sub ask {
    my ($client, $fault) = @_;

    $client->{fault} = $fault;
    $client->{id} = id($fault);
    $client->{change} = ($names[$fault] // '') eq 'noscript' || rand() < 0.3;

    my $path = "/$client->{location}/posts/$client->{id}";

    $client->send($t->prepare($client->{change}
        ? ('POST', "$path/comments", json => { author => 'a', body => 'b' })
        : ('GET', $path)));
}

sub wanted {
    my ($client) = @_;

    my $ok = $client->{change} ? 201 : 200;
    my $fault = $faults{ $names[ $client->{fault} ] // '' } // [200];

    return $fault->[0] == 503 ? 503 : $ok;
}

sub answered {
    my ($client) = @_;

    my $r = $client->response;
    my $well = $client->{fault} == 99;
    my $name = $well ? 'fine' : $names[ $client->{fault} ];

    push @slow, "$name $r->{time}" if $r->{time} > 3;

    if ($r->{status} == 503 && $well) {
        push @late, time - $client->{since}
            if time - $client->{since} > 4 && !$client->{late}++;
        $client->{again} = time + 0.02;
        return;
    }

    # a connection that the last fault ends may take the next one along

    my $id = ($r->{json} // {})->{PostID} // '';

    $wrong{"$name: $r->{status}"}++
        if $r->{status} != wanted($client) && $r->{status} != 503
        || $r->{status} != 503 && $id ne $client->{id};

    if ($well) {
        $client->{late} = 0;
        $done++;
        next_round($client);

    } else {
        $client->{since} = time;
        ask($client, 99);
    }
}

sub next_round {
    my ($client) = @_;

    return if $begun >= $rounds;

    ask($client, $begun++ % @names);
    $client->{busy} = 1;
}

my @clients = map { $t->connect(location => $_) } 1 .. $locations;
my $end = time + 60 + $rounds / 10;
my $start = time;

next_round($_) for @clients;

while ($done < $rounds && time < $end) {
    Imagegram::HTTP::step(\@clients, 0.02);

    answered($_) for grep { @{ $_->{responses} } } @clients;

    for my $client (grep { $_->{again} && time > $_->{again} } @clients) {
        $client->{again} = 0;
        ask($client, 99);
    }

    $early //= memory($worker) if $done > $rounds / 2;
}

my $late = memory($worker);

is($done, $rounds, "$rounds rounds");
is_deeply(\%wrong, {}, 'each request gets its answer or 503');
is_deeply(\@slow, [], 'in time');
is_deeply(\@late, [], 'and the next one works soon');
is_deeply([$t->worker_pids], [$worker], 'by one worker all the time');

$_->close for @clients;
is($t->get('/1/posts/' . id(99))->{status}, 200, 'which is well');

# a connection for each location, one that listens, and the client's

my $files = open_files($worker);

ok(wait_for(sub { open_files($worker) < $locations + 60 }, 10),
    'no connection is left') or diag(open_files($worker));

SKIP: {
    skip 'a sanitizer keeps what is freed', 1 if $t->sanitized;

    cmp_ok($late - $early, '<', 1 << 20, 'no memory is');
}

note(sprintf '%d s; memory %.1f MB half-way, %.1f MB at the end; %d files',
    time - $start, $early / 1e6, $late / 1e6, open_files($worker));

$t->finish;
done_testing();
