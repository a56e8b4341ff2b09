#!/usr/bin/perl

# Who may do what: identities, other sites.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(encode_utf8);
use Imagegram;
use Imagegram::Assert;
use Test::More;


# "/" asks nginx who it is; "/open/" asks nobody; "/header/" and "/asked/"
# believe a header and a subrequest

my $t = Imagegram->new(
    users   => { ann => 'a', ben => 'b', cid => 'c' },
    http    => 'imagegram_allow_origin https://app.example'
        . ' https://other.example:8443;',
    server  => '
        location /open/ {
            imagegram;
        }

        location /header/ {
            imagegram;
            imagegram_user $http_x_account_id;
        }

        location /asked/ {
            imagegram;
            auth_request /ask;
            auth_request_set $account $upstream_http_x_account;
            imagegram_user $account;
        }

        location = /ask {
            internal;
            proxy_pass http://127.0.0.1:%%PORT_3%%;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }',
    servers => '
        server {
            listen 127.0.0.1:%%PORT_3%%;

            location / {
                add_header X-Account $http_x_token;
                if ($http_x_token = "") { return 401; }
                if ($http_x_token = "banned") { return 403; }
                return 204;
            }
        }

        server {
            listen 127.0.0.1:%%PORT_4%%;
            imagegram_allow_origin https://elsewhere.example;
            location / { imagegram; }
        }',
)->start;


sub status { $_[0]{status} }

sub comment_as {
    my ($user, $path, $fields, %options) = @_;

    return $t->json($path, { body => 'wow', %$fields },
        defined $user ? (user => $user) : (), %options);
}


# the matrix

my $post = $t->post(user => 'ann', author => 'ann');
my $id = $post->{PostID};
my $comments = "posts/$id/comments";

is($post->{Author}, 'ann', 'ann posts, as ann');

for my $case (
    # who       deletes ben's comment, and the post
    [ undef,    401, 401 ],
    [ 'cid',    403, 403 ],
    [ 'ben',    200, 403 ],
    [ 'ann',    200, 204 ],
) {
    my ($user, $comment_status, $post_status) = @$case;
    my @user = defined $user ? (user => $user) : ();
    my $name = $user // 'nobody';
    my $comment = $t->comment($id, user => 'ben');
    my $r = $t->delete("$comments/$comment->{CommentID}", @user);

    is($comment->{Author}, 'ben', 'ben comments, as ben');
    $comment_status < 400
        ? is($r->{status}, $comment_status, "$name deletes ben's comment")
        : is_problem($r, $comment_status, "$name may not");
    is(status($t->get("$comments/$comment->{CommentID}")),
        $comment_status < 400 ? 404 : 200, 'which shows');

    $r = $t->delete("posts/$id", @user);
    $post_status < 400
        ? is($r->{status}, $post_status, "$name deletes ann's post")
        : is_problem($r, $post_status, "$name may not delete the post");
    is(status($t->get("posts/$id")), $post_status < 400 ? 404 : 200,
        'which shows, too');
}

$post = $t->post(user => 'ann', author => 'ann');
$id = $post->{PostID};
$comments = "posts/$id/comments";

is_problem($t->delete("posts/$id/comments/$id", user => 'cid'), 404,
    'no such comment comes before whose it is');
is_problem($t->delete('posts/00000000-0000-4000-8000-000000000000',
    user => 'cid'), 404, 'likewise no such post');


# reading needs nobody, writing does

for my $path ('posts', "posts/$id", $comments) {
    is(status($t->get($path)), 200, "anybody reads $path");
}

is_problem(comment_as(undef, $comments, { author => 'ann' }), 401,
    'nobody writes');

my $r = $t->form('posts', [author => 'ann', body => 'b', image => 'x']);

is_problem($r, 401, 'nobody posts');
like($r->{headers}{'www-authenticate'}, qr/^Basic/, 'and is asked');
is(status($t->get("posts/$id")), 200, 'the post is as it was');


# the author

is(comment_as('ben', $comments, {})->{json}{Author}, 'ben', 'none is needed');
is(comment_as('ben', $comments, { author => 'ben' })->{json}{Author}, 'ben',
    'the same may be said');
is_problem(comment_as('ben', $comments, { author => 'ann' }), 403,
    'another may not');
is_problem(comment_as('ben', $comments, { author => 'Ben' }), 403,
    'not even nearly');
is_field_problem(comment_as('ben', $comments, { author => 7 }), 'author',
    'a number is no author');
is_problem($t->form('posts', [author => 'ben', body => 'b',
    image => Imagegram::Image::png(2, 2)], user => 'ann'), 403,
    'nor may a post have another author');
is($t->get("posts/$id")->{json}{CommentCount}, 2, 'nothing else was made');


# identities that are no authors

sub as_header {
    my ($user, $method, $path, %options) = @_;

    return $t->request($method, "/header/$path", %options,
        headers => [defined $user ? ('X-Account-Id' => $user) : ()]);
}

for my $case (
    ['a' x 64,                      201, '64 characters'],
    [encode_utf8('日' x 64),        201, '64 characters of three bytes'],
    [encode_utf8('Ünï "\\ ödé'),    201, 'letters, quote, backslash'],
    ["a\tb",                        201, 'a tab'],
    ['a' x 65,                      403, '65 characters'],
    ["a\xffb",                      403, 'no UTF-8'],
    ["a\x01b",                      403, 'a control character'],
    [encode_utf8("a\x{85}b"),       403, 'a C1 control character'],
    [undef,                         401, 'none'],
    ['',                            401, 'an empty one'],
) {
    my ($user, $status, $name) = @$case;
    my $r = as_header($user, 'POST', $comments, json => { body => 'b' });

    if ($status == 201) {
        is($r->{status}, 201, "identity: $name");
        is(encode_utf8($r->{json}{Author}), $user, 'and author');

        my $path = "$comments/$r->{json}{CommentID}";

        is_problem(as_header("x$user", 'DELETE', $path), 403,
            'nobody else deletes') if length $user < 60;
        is(status(as_header($user, 'DELETE', $path)), 200, 'it deletes again');
        next;
    }

    is_problem($r, $status, "identity: $name");
    is_problem(as_header($user, 'DELETE', "posts/$id"), $status,
        'not to delete, either');
}

is_problem(as_header(undef, 'POST', 'posts', body => 'x' x 100), 401,
    'before the body is looked at');


# auth_request

sub asked {
    my ($token) = @_;

    return $t->json("/asked/$comments", { body => 'b' },
        headers => ['X-Token' => $token]);
}

is(asked('dora')->{json}{Author}, 'dora', 'auth_request names the author');
is_problem(asked('banned'), 403, 'or refuses');
is_problem(asked(''), 401, 'or asks who it is');


# open

$r = $t->json("/open/$comments", { author => 'zoe', body => 'b' });
is($r->{json}{Author}, 'zoe', 'in the open the author is who is said');
is_field_problem($t->json("/open/$comments", { body => 'b' }), 'author',
    'and has to be said');
is(status($t->delete("/open/$comments/$r->{json}{CommentID}")), 200,
    'anybody deletes a comment');
is(status($t->delete('/open/posts/'
    . $t->post(user => 'ann', author => 'ann')->{PostID})), 204, 'or a post');


# other sites

sub from {
    my ($origin, $method, $path, %options) = @_;

    return $t->request($method, $path, %options, headers => [
        defined $origin ? (Origin => $origin) : (),
        @{ $options{headers} // [] },
    ]);
}

sub allows {
    my ($r, $origin, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply([@{ $r->{headers} }{qw(access-control-allow-origin
        access-control-allow-credentials)}],
        [$origin, $origin && 'true'], $name);
    like($r->{headers}{vary}, qr/\bOrigin\b/, 'Vary: Origin');
}

my ($good, $bad) = ('https://app.example', 'https://app.example.evil.example');

for my $path ('posts', "posts/$id", 'posts?limit=0', 'none', 'none?x=y') {
    allows(from($good, 'GET', $path), $good, "$path from an allowed origin");
    allows(from($bad, 'GET', $path), undef, 'from another one');
    allows(from(undef, 'GET', $path), undef, 'from none');
}

allows(from('https://other.example:8443', 'GET', 'posts'),
    'https://other.example:8443', 'a second origin');

for my $origin ('http://app.example', 'https://app.example:443', 'null',
    'https://other.example', 'app.example', '*', 'https://app.exampl')
{
    allows(from($origin, 'GET', 'posts'), undef, "not $origin");
}

$r = from($good, 'POST', $comments, json => { body => 'b' });
is($r->{status}, 401, "nginx's own 401");
allows($r, $good, 'can be read there');
allows(from($good, 'PUT', 'posts', user => 'ann'), $good, 'and a 405');
allows(from($good, 'POST', $comments, user => 'ben', json => {}), $good,
    'and a 422');
$r = from($good, 'POST', $comments, user => 'ben', json => { body => 'b' });
is($r->{status}, 201, 'a comment from there');
allows($r, $good, 'can be read');
like($r->{headers}{'access-control-expose-headers'}, qr/\b$_\b/, "with $_")
    for qw(Location Content-Location Upload-Offset Upload-Length
        Upload-Metadata Upload-Expires Tus-Resumable Tus-Version Tus-Extension
        Tus-Max-Size Tus-Checksum-Algorithm Retry-After Link);
allows(from('https://elsewhere.example', 'GET', '/posts', port => 4),
    'https://elsewhere.example', 'another server, other origins');
allows(from($good, 'GET', '/posts', port => 4), undef, 'only');


# preflight

sub preflight {
    my ($origin, $path) = @_;

    return from($origin, 'OPTIONS', $path, headers => [
        'Access-Control-Request-Method'  => 'DELETE',
        'Access-Control-Request-Headers' => 'authorization,content-type',
    ]);
}

for my $path ('posts', "$comments/$id", '/header/posts', '/asked/posts') {
    $r = preflight($good, $path);
    is($r->{status}, 204, "a preflight for $path needs nobody");
    allows($r, $good, 'it is allowed');
    like($r->{headers}{'access-control-allow-methods'}, qr/\bDELETE\b/,
        'to delete');
    like($r->{headers}{'access-control-allow-headers'},
        qr/Authorization.*Content-Type/i, 'with these headers');
}

$r = preflight($good, 'uploads');
like($r->{headers}{'access-control-allow-methods'}, qr/\bPATCH\b/, 'to upload');
like($r->{headers}{'access-control-allow-headers'}, qr/\b$_\b/i, "with $_")
    for qw(Tus-Resumable Upload-Length Upload-Metadata Upload-Offset
        Upload-Checksum X-HTTP-Method-Override Idempotency-Key);

$r = preflight($bad, '/open/posts');
ok(!$r->{headers}{'access-control-allow-methods'}, 'not from another origin');
allows($r, undef, 'which is not named');


# writing across sites

for my $case (
    ['cross-site',  $bad,  403],
    ['cross-site',  undef, 403],
    ['cross-site',  $good, 201],
    ['same-origin', undef, 201],
    ['same-site',   undef, 201],
    ['none',        undef, 201],
    [undef,         $bad,  201],
) {
    my ($site, $origin, $status) = @$case;
    my $name = 'Sec-Fetch-Site: ' . ($site // 'not said') . ', '
        . ($origin // 'no origin');
    my %options = (headers => [$site ? ('Sec-Fetch-Site' => $site) : ()]);
    my $r = from($origin, 'POST', $comments, %options, user => 'ben',
        json => { body => 'b' });

    $status < 400 ? is($r->{status}, $status, $name)
        : is_problem($r, $status, $name);
    is(status(from($origin, 'GET', 'posts', %options)), 200, 'reading is free');

    next if $status < 400;

    is_problem(from($origin, 'DELETE', "posts/$id", %options, user => 'ann'),
        403, 'a deletion, too');
    is_problem(from($origin, 'POST', '/open/posts', %options, body => 'x'),
        403, 'in the open, too');
}

is(status($t->get("posts/$id")), 200, 'the post is still there');

done_testing();
