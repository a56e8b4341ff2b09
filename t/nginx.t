#!/usr/bin/perl

# The API among nginx's other directives: subrequests, internal redirects,
# locations inside of locations, filters, delays.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram qw(open_files spew suspend wait_for);
use Imagegram::Assert;
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new(
    settings => { redis => '%%REDIS%% timeout=50s' },
    http     => 'limit_req_zone $server_port zone=writes:1m rate=5r/s;',
    server   => '
        location /ssi/     { ssi on; ssi_types *; root %%DIR%%; }
        location /asks/    { auth_request /posts; root %%DIR%%; }
        location /asked/   { imagegram; auth_request /posts; }
        location /refused/ { imagegram; auth_request /none; }

        location /redirected/ { imagegram; error_page 404 =200 /posts; }
        location /rewritten/  { rewrite ^/rewritten/(.*)$ /$1 last; }
        location /accel/      { proxy_pass http://127.0.0.1:%%PORT_3%%; }
        location /tried/      { try_files $uri /posts; root %%DIR%%; }

        location /if/ {
            imagegram;
            imagegram_max_body 5;
            if ($arg_x) { set $x $arg_x; }
        }

        location /except/ {
            imagegram;
            imagegram_max_body 5;
            limit_except GET { deny 127.0.0.2; }
        }

        location /outer/ {
            imagegram;
            imagegram_max_body 5;
            location /outer/inner/ { imagegram; imagegram_max_body 6; }
            location /outer/plain/ { root %%DIR%%; }
        }

        location "/api/100% ü/" { imagegram; }
        location /sub/     { imagegram; sub_filter_types *;
            sub_filter posts POSTS; }
        location /added/   { imagegram; addition_types *;
            add_before_body /posts; add_after_body /none; }
        location /delayed/ { imagegram; limit_req zone=writes burst=50; }
        location /slow/    { imagegram; limit_rate 2k; }
        location /header/  { imagegram; add_header X-More more always; }
    ',
    servers  => 'server {
        listen 127.0.0.1:%%PORT_3%%;
        add_header X-Accel-Redirect /posts;
        location / { return 200 x; }
    }',
);

my @includes = ('/posts?limit=1', '/posts?images=base64', '/none',
    '/posts?limit=x');

mkdir $t->dir . "/$_" for qw(ssi asks outer outer/plain);
spew($t->dir . "/$_", 'file') for qw(asks/file outer/plain/file);
spew($t->dir . '/ssi/page', join '|', '',
    map({ qq(<!--# include virtual="$_" -->) } @includes), '');
$t->start;

my $id = $t->post->{PostID};
my $comments = "posts/$id/comments";
my $feed = $t->get('posts')->{body};

sub is_feed {
    my ($path) = @_;

    my $r = $t->get($path);

    is($r->{status}, 200, $path);
    is($r->{body}, $feed, 'is the feed');
}


# subrequests

my @parts = split /\|/, $t->get('/ssi/page')->{body};

is($parts[1], $t->get($includes[0])->{body}, 'SSI includes a page');
is($parts[2], $t->get($includes[1])->{body}, 'with images, too');
like($parts[$_], qr/^<html>.*<title>4\d\d /s, 'and errors of nginx')
    for 3, 4;

is($t->get('/asks/file')->{body}, 'file', 'auth_request may ask the API');
is_feed('/asked/posts');
is_problem($t->get('/refused/posts'), 500, 'which must know the path');

my $r = $t->form('/asked/posts', [author => 'a', body => 'b',
    image => Imagegram::Image::png(2, 2)]);

is($r->{status}, 201, 'a post, after a subrequest');
is($t->delete("posts/$r->{json}{PostID}")->{status}, 204, 'deleted');


# internal redirects

is_feed($_) for '/redirected/none', '/rewritten/posts', '/accel/x', '/tried/x';


# locations that nginx makes of one

sub comment {
    my ($location, $length, $query) = @_;

    my $r = $t->json("/$location/$comments" . ($query // ''),
        { author => 'a', body => 'x' x $length });

    $t->delete("$comments/$r->{json}{CommentID}") if $r->{status} == 201;

    return $r->{status};
}

for my $case (['if', 5], ['if', 5, '?x=1'], ['except', 5], ['outer', 5],
    ['outer/inner', 6])
{
    my ($location, $max, $query) = @$case;
    my $name = $location . ($query // '');

    is(comment($location, $max, $query), 201, "$name: a comment");
    is(comment($location, $max + 1, $query), 422, "$name: one too long");
    is_problem($t->get("/$location/none" . ($query // '')), 404,
        "$name: a problem");
}

is($t->get('/outer/plain/file')->{body}, 'file', 'a location without the API');
like($t->get('/outer/plain/none')->{body}, qr/<html>/, 'has errors of nginx');


# filters, delays

$feed = $t->get('posts')->{body};
is($t->get('/sub/posts')->{body}, $feed =~ s/posts/POSTS/r, 'sub_filter');
is($t->get('/added/none')->{status}, 404, 'an error with additions');
like($t->get('/added/posts')->{body}, qr/^\Q$feed$feed\E<html>/,
    'a page with additions');
is($t->get('/slow/posts?images=base64')->{body},
    $t->get('posts?images=base64')->{body}, 'limit_rate');
is($t->get("/header/$_")->{headers}{'x-more'}, 'more', 'add_header')
    for 'posts', 'none';

my @clients = map { $t->connect } 1 .. 6;

$_->send($t->prepare('POST', "/delayed/$comments",
    json => { author => 'a', body => 'b' })) for @clients;
Imagegram::HTTP::run(\@clients, 60);
is(scalar(grep { $_->response->{status} == 201 } @clients), 6,
    'comments that limit_req delays');
is(scalar(grep { $t->form('/delayed/posts', [author => 'a', body => 'b',
    image => Imagegram::Image::png(2, 2)])->{status} == 201 } 1 .. 3), 3,
    'and posts');
$_->close for @clients;


# clients leave while subrequests wait for Redis

my ($worker) = $t->worker_pids;
my $open;

ok(wait_for(sub {
    my $before = $open;
    $open = open_files($worker);
    select undef, undef, undef, 0.3;
    defined $before && $open == $before;
}, 30), 'all is quiet');

suspend($t->redis_pid);
@clients = map { $t->connect->send($t->prepare('GET', $_))->flush }
    ('/ssi/page', '/asks/file', '/asked/posts', '/added/posts',
    '/redirected/none', '/accel/x') x 4;
wait_for(sub { open_files($worker) >= $open + @clients }, 10);
$clients[$_]->close($_ % 2) for 0 .. 17;
ok(wait_for(sub { open_files($worker) <= $open + 12 }, 15),
    'they are let go');
kill 'CONT', $t->redis_pid;
Imagegram::HTTP::run([@clients[18 .. 23]], 60);
is($_->response->{status}, 200, 'who stays is answered')
    for @clients[18 .. 23];
$_->close for @clients[18 .. 23];
ok(wait_for(sub { open_files($worker) <= $open }, 30), 'nothing is held')
    or diag(open_files($worker), " > $open");
is_deeply([$t->worker_pids], [$worker], 'the worker is the same as before');


# a path that is not a URL as it is

is($t->get('/api/100%25%20%C3%BC/posts')->{status}, 200, 'an odd path');

my $odd = '/api/100%25%20%C3%BC/';

$r = $t->form("${odd}posts", [author => 'ann', body => 'x',
    image => Imagegram::Image::png(8, 8)]);
is($r->{status}, 201, 'a post there');
is($r->{headers}{location}, "${odd}posts/$r->{json}{PostID}", 'is where');
is($t->get($r->{headers}{location})->{body}, $r->{body}, 'the Location says');
$t->comment($r->{json}{PostID});

my ($next) = $t->get("${odd}posts?limit=1")->{headers}{link} =~ /<(.*)>/;

like($next, qr/^\Q${odd}\Eposts\?/, 'and so does the next page');
is($t->get($next)->{status}, 200, 'which is there');

done_testing();
