#!/usr/bin/perl

# Redis that is away, comes back, hangs, has forgotten the scripts, wants a
# password; and the handshake.  What a server that is no good Redis may say is
# in redis_fake.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(suspend wait_for);
use Imagegram::Assert;
use Imagegram::FakeRedis;
use Test::More;
use Time::HiRes qw(time);


my $t = Imagegram->new(
    workers  => 2,
    settings => { redis => '%%REDIS%% timeout=1s' },
);

sub get_ok { $t->get($_[0] // 'posts')->{status} == 200 }

# all workers, as far as one can tell

sub well_again {
    my ($name) = @_;

    my $start = time;

    ok(wait_for(sub { !grep { !get_ok() } 1 .. 20 }, 20), $name);
    note(sprintf 'after %.2f s', time - $start);
}

sub is_unavailable {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_problem($r, 503, $name);
    like($r->{headers}{'retry-after'}, qr/^\d+$/, 'with Retry-After');
    cmp_ok($r->{time}, '<', 10, 'and without a long wait');
}


# down at the start

$t->expect_log(qr{connect\(\) to unix:.*/redis\.sock failed});
$t->start_nginx;

is_unavailable($t->get('posts'), 'no Redis: no feed');

my @image = (image => Imagegram::Image::png(2, 2));
my ($type, $body) = Imagegram::Body::multipart(author => 'a', body => 'b',
    @image);
my $r = $t->request('POST', 'posts', body => $body, expect => 1,
    headers => ['Content-Type' => $type]);

is_unavailable($r, 'no post');
is_deeply($r->{interim}, [], 'which is said before the body is sent');

$t->start_redis;
well_again('well again once Redis is there');

my $post = $t->post;
my $id = $post->{PostID};
my $comment = $t->comment($id);


# stopped and started

my $feed = $t->get('posts')->{body};

$t->stop_redis;
wait_for(sub { !get_ok() }, 10);
is_unavailable($t->get('posts'), 'Redis is stopped: no feed');
is_unavailable($t->get("posts/$id"), 'no post');
is_unavailable($t->get("posts/$id/comments"), 'no comments');
is_unavailable($t->json("posts/$id/comments",
    { author => 'a', body => 'b' }), 'no new comment');
is_unavailable($t->delete("posts/$id/comments/$comment->{CommentID}"),
    'no deletion of a comment');
is_unavailable($t->delete("posts/$id"), 'nor of a post');
is($t->get($post->{Image})->{status}, 200, 'images are served all the same');
is($t->get('posts?limit=x')->{status}, 400, 'and errors told');

$t->start_redis;
well_again('well again');
is($t->get('posts')->{body}, $feed, 'with everything that was there');

$t->stop_redis('KILL');
$t->start_redis;
well_again('well again after a quick restart, too');
is($t->get('posts')->{body}, $feed, 'likewise');


# hanging, while something changes

sub same_id {
    my ($r, $id) = @_;
    return $r->{status} == 200 && $r->{json}{PostID} eq $id;
}

my @ids = ($id, $t->seed(9));
my ($doomed, $gone) = $t->seed(2);

# so that Redis knows the scripts, and needs no second question

$t->comment($gone);
is($t->delete("posts/$gone")->{status}, 204, 'a post is deleted');
is($t->get("posts/$gone")->{status}, 404, 'and gone');

for my $round (1 .. 3) {
    my @clients = map { $t->connect } 1 .. 30;

    ok(get_ok(), 'Redis is well');
    suspend($t->redis_pid);

    for my $n (0 .. $#clients) {
        $clients[$n]->send($t->prepare(
            $n == 0 ? ('DELETE', "posts/$doomed")
            : $n % 3 ? ('GET', "posts/$ids[ $n % 10 ]")
            : ('POST', "posts/$id/comments", json =>
                { author => 'a', body => "late $round $n" })));
    }

    Imagegram::HTTP::run(\@clients, 30);

    my @answers = map { $_->response } @clients;

    is(scalar(grep { $_->{status} == 503 } @answers), 30,
        'all are told that Redis does not answer');
    is_unavailable($answers[0], 'a deletion, for one');

    # what was asked last is not what comes first

    $clients[$_]->send($t->prepare('GET', "posts/$ids[ $_ % 10 ]"))
        for 0 .. $#clients;
    Imagegram::HTTP::step(\@clients, 0.1) for 1 .. 3;
    kill 'CONT', $t->redis_pid;
    Imagegram::HTTP::run(\@clients, 30);

    is(scalar(grep {
        my $r = $clients[$_]->response;
        $r->{status} != 503 && !same_id($r, $ids[ $_ % 10 ]);
    } 0 .. $#clients), 0, 'no reply is given to another request');

    well_again('well again');
    is(scalar(grep { !same_id($t->get("posts/$_"), $_) } @ids), 0,
        'nor later');
}

my ($comments) = $t->walk("posts/$id/comments?limit=100");
my %bodies;

$bodies{ $_->{Body} }++ for @$comments;
is_deeply([grep { $bodies{$_} > 1 } keys %bodies], [],
    'what came late came once, or not at all');
cmp_ok(scalar @$comments, '>', 1, 'some came: ' . (@$comments - 1) . ' of 27');
is($t->get("posts/$id")->{json}{CommentCount}, scalar @$comments,
    'and is counted');
like($t->get("posts/$doomed")->{status}, qr/^(?:200|404)$/,
    'a deletion likewise');

# a post whose script may run late has its files

$t->post;
suspend($t->redis_pid);
$r = $t->form('posts', [author => 'a', body => 'a late post', @image]);
kill 'CONT', $t->redis_pid;
is_unavailable($r, 'a post, while Redis hangs');
well_again('well again');

my $late = 0;

for my $post (grep { $_->{Body} eq 'a late post' }
    @{ $t->get('posts?limit=100')->{json}{posts} })
{
    is($t->get($post->{Image})->{status}, 200, 'a late post has its image');
    $late++;
}

cmp_ok($late, '<', 2, 'and is there once, or not at all');
note("it came $late times");


# no scripts

$t->redis(qw(SCRIPT FLUSH));
$t->redis(qw(CONFIG RESETSTAT));
is($t->get("posts/$id/comments")->{status}, 200,
    'the scripts are forgotten: comments') for 1 .. 10;
like($t->redis(qw(INFO commandstats)), qr/^cmdstat_eval:calls=1,/m,
    'sent once');
$t->redis(qw(SCRIPT FLUSH));

my $new = $t->comment($id);

is($t->get("posts/$id/comments?limit=1")->{json}{comments}[0]{CommentID},
    $new->{CommentID}, 'a comment is made, once');
$t->redis(qw(SCRIPT FLUSH));
is($t->delete("posts/$id/comments/$new->{CommentID}")->{status}, 200,
    'and deleted');
is($t->get("posts/$id")->{json}{CommentCount}, scalar @$comments, 'once');
$t->redis(qw(SCRIPT FLUSH));
ok($t->post, 'a post');
$t->redis(qw(SCRIPT FLUSH));
is($t->delete("posts/$id")->{status}, 204, 'is deleted');

$t->redis(qw(SCRIPT FLUSH));

my @clients = map { $t->connect } 1 .. 20;

$_->send($t->prepare('POST', "posts/$ids[1]/comments",
    json => { author => 'a', body => 'b' })) for @clients;
Imagegram::HTTP::run(\@clients, 30);
is(scalar(grep { $_->response->{status} == 201 } @clients), 20,
    'many at once');
is($t->get("posts/$ids[1]")->{json}{CommentCount}, 20, 'each once');


# the handshake

my $tcp = Imagegram->new(settings => { redis => undef });

# a name, on any machine that is set up
my $name = gethostbyname('localhost') ? 'localhost' : '127.0.0.1';

diag('localhost has no address here: no name is resolved')
    if $name ne 'localhost';

$tcp->{redis} = ['--port', $tcp->port(9)];
$tcp->{http} = 'imagegram_redis 127.0.0.1:%%PORT_9%% password=secret db=2;';
$tcp->{server} = "
    location /user/  { imagegram; imagegram_redis
        $name:%%PORT_9%% username=app password=word db=2; }
    location /photos/ { imagegram; imagegram_key_prefix photos; }
    location /none/  { imagegram; imagegram_redis %%REDIS%%; }
    location /wrong/ { imagegram; imagegram_redis %%REDIS%% password=x; }
    location /who/   { imagegram; imagegram_redis %%REDIS%%
        username=x password=secret; }
    location /nodb/  { imagegram; imagegram_redis %%REDIS%%
        password=secret db=99; }
    location /fake/  { imagegram; imagegram_redis unix:%%DIR%%/fake.sock
        password=secret db=1; }
";

my $fake = Imagegram::FakeRedis->new($tcp->dir . '/fake.sock', sub {
    my ($n, @command) = @_;
    return $command[0] eq 'SELECT' ? "-ERR no such database\r\n" : "+OK\r\n";
});

$tcp->start_redis;
$tcp->redis(qw(CONFIG SET requirepass secret));
$tcp->redis(qw(ACL SETUSER app on >word ~* +@all));
$tcp->start_nginx;

wait_for(sub { $tcp->get('posts')->{status} == 200 }, 10);
$tcp->redis('SELECT', 2);
($id) = $tcp->seed(1);
my ($photo) = $tcp->seed(1, 'photos');
$tcp->redis('SELECT', 0);

is($tcp->get('posts')->{json}{posts}[0]{PostID}, $id, 'TCP, password, db');
is($tcp->comment($id)->{PostID}, $id, 'also to change something');
is($tcp->get('/user/posts')->{json}{posts}[0]{PostID}, $id, 'username');
is_deeply([map { $_->{PostID} } @{ $tcp->get('/photos/posts')->{json}{posts} }],
    [$photo], 'key prefix');
is($tcp->json("/photos/posts/$photo/comments",
    { author => 'a', body => 'b' })->{status}, 201, 'to change something, too');

for my $location (qw(none wrong who nodb fake)) {
    for (1 .. 3) {
        is_unavailable($tcp->get("/$location/posts"), "$location: no feed");
        is_unavailable($tcp->json("/$location/posts/$id/comments",
            { author => 'a', body => 'b' }), 'no comment');
    }
}

unlike($tcp->redis(qw(INFO keyspace)), qr/^db(?!2:)/m,
    'nothing is in another database');
$tcp->redis('SELECT', 2);
is($tcp->redis('ZCARD', "imagegram:{0}:comments:$id"), 1, 'or changed');
is_deeply([grep { !/^imagegram:|^photos:/ } @{ $tcp->redis('KEYS', '*') }], [],
    'nor below another prefix');
is_deeply([grep { !/ (?:AUTH secret|SELECT 1|PING)$/ } $fake->commands], [],
    'a server that refuses the database gets no command');
ok(scalar $fake->commands, 'though it is asked');

done_testing();
