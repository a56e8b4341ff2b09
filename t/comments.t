#!/usr/bin/perl

# Comments: made, read, listed, deleted; what their JSON may be.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(encode_utf8);
use Imagegram;
use Imagegram::Assert;
use Test::More;


my $t = Imagegram->new(workers => 2, location => '/api/v1/')->start;

my ($id, $other) = $t->seed(2);
my $path = "posts/$id/comments";

sub post_of { $t->get('posts/' . ($_[0] // $id))->{json} }
sub ids { [map { $_->{CommentID} } @_] }


# made and read

is_deeply($t->get($path)->{json}, { comments => [] }, 'no comments yet');

my $before = time;
my $r = $t->json($path, { author => 'ben', body => 'wow' });
my $comment = $r->{json};
my $cid = $comment->{CommentID};

is($r->{status}, 201, 'a comment is made');
like($cid, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'CommentID');
is($r->{headers}{location}, "/api/v1/$path/$cid", 'Location');
is($r->{headers}{'content-type'}, 'application/json', 'Content-Type');
is_deeply([sort keys %$comment],
    [sort qw(CommentID PostID Timestamp Author Body)], 'its members');
is_deeply([@$comment{qw(PostID Author Body)}], [$id, 'ben', 'wow'],
    'and what they say');
ok($comment->{Timestamp} >= $before && $comment->{Timestamp} <= time,
    'Timestamp is now');
like($r->{body}, qr/"Timestamp":\d+,/, 'as a number');

$r = $t->get($r->{headers}{location});
is($r->{status}, 200, 'it is where Location says');
is_deeply($r->{json}, $comment, 'and the same');
is($t->head("$path/$cid")->{status}, 200, 'HEAD of a comment');
is($t->head($path)->{headers}{'content-length'},
    length $t->get($path)->{body}, 'HEAD of the list');
is_deeply($t->get($path)->{json}{comments}, [$comment], 'in the list');
is_deeply(post_of()->{LastComments}, [$comment], 'in the post');
is(post_of()->{Version}, 1, 'whose version grew');

is_problem($t->get("posts/$other/comments/$cid"), 404,
    'not under another post');
is_problem($t->delete("posts/$other/comments/$cid"), 404,
    'nor to be deleted there');
is(post_of($other)->{Version}, 0, 'which did not change');

for my $nothing ($cid =~ s/^./x/r, uc $cid =~ s/^\d/a/r, 'x', '',
    '00000000-0000-4000-8000-000000000000')
{
    is_problem($t->get("$path/$nothing"), 404, "no comment \"$nothing\"");
}

my $nowhere = '00000000-0000-4000-8000-000000000000';

is_problem($t->get("posts/$nowhere/comments"), 404, 'no such post: no list');
is_problem($t->json("posts/$nowhere/comments",
    { author => 'ben', body => 'wow' }), 404, 'and no comment made');
is_deeply($t->redis('KEYS', "*$nowhere*"), [], 'nor anything else');


# many in one second, on one connection

my $c = $t->connect;
my @made = $comment;

for my $n (1 .. 49) {
    push @made, $c->request($t->prepare('POST', $path,
        json => { author => 'ben', body => "comment $n" }))->{json};
}

my %seconds;

$seconds{ $_->{Timestamp} }++ for @made;
cmp_ok((sort { $b <=> $a } values %seconds)[0], '>', 5,
    'many comments of one second');
is_deeply($t->get("$path?limit=100")->{json}{comments}, [reverse @made],
    'are listed in the order they were made in, newest first');
is(post_of()->{CommentCount}, 50, 'CommentCount');
is(post_of()->{Version}, 50, 'Version');
is_deeply(post_of()->{LastComments}, [@made[-1, -2]], 'LastComments');


# pages

is(scalar @{ $t->get($path)->{json}{comments} }, 20, 'the default limit is 20');

for my $limit (1, 7, 25, 50, 100) {
    my ($items, $pages) = $t->walk("$path?limit=$limit");

    is_deeply($items, [reverse @made], "all comments, $limit a page");
    is($pages, int((49 + $limit) / $limit), 'and no page too many');
}

$r = $t->get("$path?limit=30");

my $cursor = $r->{json}{nextPage};

is($r->{headers}{link},
    "</api/v1/$path?limit=30&nextPage=$cursor>; rel=\"next\"", 'Link');

for my $query ('limit=0', 'limit=101', 'limit=x', 'nextPage=', 'nextPage=x',
    'nextPage=' . $t->get('posts?limit=1')->{json}{nextPage})
{
    is_problem($t->get("$path?$query"), 400, "$query is refused");
}

$t->comment($id) for 1 .. 3;
is_deeply($t->get("$path?limit=30&nextPage=$cursor")->{json}{comments},
    [reverse @made[0 .. 19]], 'new comments do not disturb a walk');


# deletions

@made = reverse @{ $t->get("$path?limit=100")->{json}{comments} };

my $version = post_of()->{Version};

sub delete_comment {
    my ($index, $what) = @_;

    my ($gone) = splice @made, $index, 1;
    my $r = $t->delete("$path/$gone->{CommentID}");

    is($r->{status}, 200, "$what is deleted");
    is($r->{body}, "\"Deleted comment $gone->{CommentID} for post $id\"",
        'and that is said');
    is_problem($t->get("$path/$gone->{CommentID}"), 404, 'it is gone');
    is_problem($t->delete("$path/$gone->{CommentID}"), 404, 'for good');

    my $post = post_of();
    my @last = @made < 2 ? @made : @made[-1, -2];

    is_deeply($post->{LastComments}, \@last, 'LastComments are right');
    is($post->{CommentCount}, scalar @made, 'so is CommentCount');
    is($post->{Version}, ++$version, 'Version grew by one');
}

delete_comment(-1, 'the newest');
delete_comment(-2, 'the second');
delete_comment(10, 'an old one');

while (@made > 3) {
    my $gone = pop @made;
    $c->request($t->prepare('DELETE', "$path/$gone->{CommentID}"));
    $version++;
}

delete_comment(0, 'one of three');
delete_comment(0, 'one of two');
delete_comment(0, 'the last one');
is($t->comment($id)->{Body}, 'wow', 'and one more is made');
is(post_of()->{CommentCount}, 1, 'CommentCount');


# what the fields may be

sub make {
    my ($json, %options) = @_;

    return $t->request('POST', $path, body => $json,
        headers => ['Content-Type' => 'application/json'], %options);
}

sub made {
    my ($json, $author, $body, $name) = @_;

    my $r = make($json);

    is($r->{status}, 201, $name) or diag($r->{body});
    is_deeply([@{ $r->{json} // {} }{qw(Author Body)}], [$author, $body],
        'kept as it is meant');
    is_deeply($t->get($r->{headers}{location})->{json}, $r->{json},
        'and read again') if $r->{headers}{location};
}

sub pair { sprintf '{"author":"%s","body":"%s"}', @_ }

made(pair('ann', 'a\"\\\\\/\u00e9\t\n'), 'ann', "a\"\\/é\t\n", 'escapes');
made(encode_utf8(pair('Ünï', '日本語 🙂')), 'Ünï', '日本語 🙂',
    'UTF-8');
made(pair('\ud83d\ude42', '\uD83D\uDE42'), '🙂', '🙂', 'surrogate pairs');
made(pair('ann', 'a\r\nb\rc\nd\r\n\r\n'), 'ann', "a\nb\nc\nd\n\n",
    'CR LF and CR become LF');
made(encode_utf8(pair('🙂' x 64, '🙂' x 2200)), '🙂' x 64, '🙂' x 2200,
    '64 and 2200 characters, four bytes each');
made(pair('\ud83d\ude42' x 64, '\ud83d\ude42' x 2200), '🙂' x 64,
    '🙂' x 2200, 'and twelve bytes each');
made(pair('a', 'b'), 'a', 'b', 'one character each');
made(pair('a', 'a\r\n' x 1100), 'a', "a\n" x 1100, '2200 after CR LF is LF');
made(" \r\n\t{ \"author\" :\"ann\", \"body\" : \"b\"\n} \n", 'ann', 'b',
    'white space');
made('{"x":[{"author":"x","author2":[1,-2.5e3,true,null]},"body"],'
    . '"author":"ann","image":{"body":"x"},"body":"b","":0}', 'ann', 'b',
    'unknown members, nested ones too');

for my $case (
    [pair('', 'b'),                 'author',      'an empty author'],
    [pair('ann', ''),               'body',        'an empty body'],
    ['{"body":"b"}',                'author',      'no author'],
    ['{"author":"ann"}',            'body',        'no body'],
    ['{}',                          'author body', 'neither'],
    ['{"Author":"a","BODY":"b"}',   'author body', 'names in capitals'],
    [pair('a' x 65, 'b'),           'author',      'author of 65'],
    [encode_utf8(pair('🙂' x 65, 'b')), 'author',  'author of 65 astral'],
    [pair('ann', 'b' x 2201),       'body',        'body of 2201'],
    [encode_utf8(pair('ann', 'é' x 2201)), 'body', 'body of 2201 letters'],
    [pair('a' x 65, 'b' x 2201),    'author body', 'both too long'],
    ['{"author":1,"body":"b"}',     'author',      'a number'],
    ['{"author":null,"body":true}', 'author body', 'null and true'],
    ['{"author":["a"],"body":{"body":"b"}}', 'author body', 'array and object'],
    [pair('a\u0000', 'b'),          'author',      'NUL'],
    [pair('ann', 'b\u0007'),        'body',        'a C0 control'],
    [pair('ann', 'b\u001b[0m'),     'body',        'an escape sequence'],
    [pair('ann', "b\x7f"),          'body',        'DEL'],
    [pair('ann', 'b\u0085'),        'body',        'a C1 control'],
    [encode_utf8(pair('ann', "b\x{9f}")), 'body',  'a C1 control as UTF-8'],
) {
    my ($json, $fields, $name) = @$case;

    is_field_problem(make($json), $fields, "$name is refused: $fields");
}


# what JSON may be

for my $case (
    ['',                                'nothing'],
    [' ',                               'a blank'],
    ['"x"',                             'a string'],
    ['[]',                              'an array'],
    ['null',                            'null'],
    [pair('ann', 'b') . 'x',            'something behind it'],
    [pair('ann', 'b') x 2,              'two of them'],
    [pair('ann', 'b') . "\0",           'NUL behind it'],
    [substr(pair('ann', 'b'), 0, -1),   'an end too soon'],
    ['{"author":"ann","body":"b",}',    'a comma too many'],
    ['{"author":"ann" "body":"b"}',     'a comma missing'],
    ["{'author':'ann','body':'b'}",     'single quotes'],
    ['{author:"ann",body:"b"}',         'names without quotes'],
    ['{"author":"ann","body":"b"/**/}', 'a comment'],
    ["\xef\xbb\xbf" . pair('a', 'b'),   'a byte order mark'],
    ['{"author":"a","author":"a","body":"b"}',       'a name twice'],
    ['{"author":"a","\u0061uthor":"a","body":"b"}',  'a name twice, escaped'],
    ['{"author":"a","body":"b","x":1,"x":2}',        'an unknown name twice'],
    ['{"author":"a","body":"b","x":{"y":1,"y":2}}',  'a nested name twice'],
    [pair('ann', "\xff"),               'no UTF-8'],
    [pair('ann', "\xc0\xaf"),           'UTF-8 longer than it need be'],
    [pair('ann', "\xed\xa0\x80"),       'a surrogate as UTF-8'],
    [pair('ann', "\xf4\x90\x80\x80"),   'beyond Unicode'],
    [pair('ann', "\xe2\x82"),           'half a character'],
    ['{"author":"a","body":"b","x":"' . "\xff" . '"}', 'no UTF-8 elsewhere'],
    [pair('ann', '\ud83d'),             'half a surrogate pair'],
    [pair('ann', '\ud83dx'),            'and something else'],
    [pair('ann', '\ude42\ud83d'),       'a surrogate pair in reverse'],
    [pair('ann', '\u12'),               'half an escape'],
    [pair('ann', '\x41'),               'an unknown escape'],
    [pair('ann', "\n"),                 'a line feed as it is'],
    ['{"author":"a","body":"b","x":01}',    'a leading zero'],
    ['{"author":"a","body":"b","x":+1}',    'a plus'],
    ['{"author":"a","body":"b","x":1.}',    'no digit behind the point'],
    ['{"author":"a","body":"b","x":NaN}',   'NaN'],
    ['{"author":"a","body":"b","x":nul}',   'half a literal'],
    ['{"author":"a","body":"b","x":[1,]}',  'a comma too many, nested'],
    ['{"author":"a","body":"b","x":' . '[' x 2000 . ']' x 2000 . '}',
        'too deep'],
) {
    is_problem(make($case->[0]), 400, "$case->[1] is refused");
}

$version = post_of()->{Version};


# how a body may come

my $json = pair('ann', 'in pieces');
my @type = (headers => ['Content-Type' => 'application/json']);

is_problem($t->request('POST', $path, body => $json), 415, 'no content type');

for my $type ('text/plain', 'application/jsonx', 'multipart/form-data',
    'application/x-www-form-urlencoded')
{
    is_problem($t->request('POST', $path, body => $json,
        headers => ['Content-Type' => $type]), 415, $type);
}

for my $type ('application/json; charset=utf-8', 'Application/JSON') {
    is($t->request('POST', $path, body => $json,
        headers => ['Content-Type' => $type])->{status}, 201, $type);
}

is(make($json, chunked => 1)->{status}, 201, 'a chunked body');
is(make($json, pieces => 5, pause => 0.002)->{status}, 201, 'in many pieces');
is(make($json, pieces => 1, pause => 0.001, chunked => 1)->{status}, 201,
    'a chunked one byte by byte');

my $large = pair('ann', 'b' x 40_000);

is_problem(make($large), 413, 'a body too large for any comment');
is_problem(make($large, chunked => 1), 413, 'chunked, too');

$r = make($large, expect => 1);
is_problem($r, 413, 'expecting 100 Continue');
is_deeply($r->{interim}, [], 'it is refused before the body is sent');

$r = $t->request('POST', $path, body => $json, expect => 1);
is_problem($r, 415, 'the wrong type, too');
is_deeply($r->{interim}, [], 'at once');

$r = make($json, expect => 1);
is($r->{status}, 201, 'what is not refused');
is_deeply($r->{interim}, [100], 'continues');


# one connection, whatever was said before

$c = $t->connect;

my @statuses = map { $c->request($t->prepare('POST', $path, %$_))->{status} }
    { body => $json, @type }, { body => $json }, { body => '{}', @type },
    { body => $json, @type, chunked => 1 }, { body => $json, @type };

is_deeply(\@statuses, [201, 415, 422, 201, 201], 'one after the other');

sub raw {
    my ($body) = @_;

    return "POST /api/v1/$path HTTP/1.1\r\nHost: x\r\n"
        . "Content-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}

my $get = "GET /api/v1/$path?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n";

$c->write(raw(pair('ann', 'first')) . $get . raw(pair('ann', 'second')) . $get,
    qw(POST GET POST GET));

my @answers = map { $c->response } 1 .. 4;

is_deeply([map { $_->{status} } @answers], [201, 200, 201, 200], 'pipelined');
is_deeply([map { $answers[$_]{json}{comments}[0]{Body} } 1, 3],
    ['first', 'second'], 'each one in its turn');


# two writers race on one post

sub race {
    my ($n, $request) = @_;

    my @clients = map { $t->connect } 1, 2;
    my %left = map { $_ => $n } @clients;
    my @answers;

    $_->send($request->()) for @clients;

    Imagegram::HTTP::run(\@clients, 60, sub {
        my ($c) = @_;
        push @answers, $c->response;
        $c->send($request->()) if --$left{$c};
    });

    return @answers;
}

my ($contested) = $t->seed(1);
my @race = race(150, sub {
    $t->prepare('POST', "posts/$contested/comments", body => $json, @type);
});

is(scalar(grep { $_->{status} == 201 } @race), 300,
    'two writers, 300 comments');

my $post = post_of($contested);
my ($list) = $t->walk("posts/$contested/comments?limit=100");

is($post->{CommentCount}, 300, 'all of them count');
is($post->{Version}, 300, 'one version each');
is_deeply([sort @{ ids(@$list) }], [sort @{ ids(map { $_->{json} } @race) }],
    'all of them are listed');
is_deeply($post->{LastComments}, [@$list[0, 1]], 'LastComments');

my @targets = map { ($_, $_) } @{ ids(@$list) };

@race = race(300, sub {
    $t->prepare('DELETE', "posts/$contested/comments/" . pop @targets);
});

is(scalar(grep { $_->{status} == 200 } @race), 300,
    'two who delete the same: each comment is deleted once');
is(scalar(grep { $_->{status} == 404 } @race), 300, 'and gone for the other');

$post = post_of($contested);
is_deeply([@$post{qw(CommentCount Version LastComments)}], [0, 600, []],
    'the counts are exact');

done_testing();
