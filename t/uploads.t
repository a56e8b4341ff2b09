#!/usr/bin/perl

# tus 1.0.0: creation, chunks, checksums, termination, expiration, and what is
# refused, as early as it can be told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use MIME::Base64 qw(encode_base64);

use Imagegram qw(slurp);
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Tus qw(create_request metadata tus_request);
use Test::More;


my $t = Imagegram->new(workers => 2, server => '
    location /api/v1/ {
        imagegram;
        imagegram_upload_expires 2h;
    }

    location /small/ {
        imagegram;
        imagegram_max_image_size 1k;
        imagegram_max_image_pixels 1000;
    }', http2 => 1)->start;

my $png = Imagegram::Image::png(300, 200);
my @tus = ('Tus-Resumable' => '1.0.0');

# keys that a first post makes and that stay
$t->delete('posts/' . $t->post->{PostID});

my $before = $t->stored;

sub original {
    my ($id, $format) = @_;
    return slurp(join '/', $t->storage, 'originals', substr($id, 0, 2),
        substr($id, 2, 2), "$id.$format");
}


# --- what the server can do

my $r = $t->request('OPTIONS', 'uploads');

is($r->{status}, 204, 'OPTIONS');
is($r->{headers}{'tus-version'}, '1.0.0', 'its version');
is($r->{headers}{'tus-extension'},
    'creation,creation-with-upload,termination,expiration,checksum',
    'its extensions');
is($r->{headers}{'tus-max-size'}, 104_857_600, 'its largest upload');
is($r->{headers}{'tus-checksum-algorithm'}, 'sha1', 'its checksums');
is($r->{headers}{'tus-resumable'}, '1.0.0', 'Tus-Resumable');

is_problem($t->get('uploads'), 405, 'GET uploads');
is($t->get('uploads')->{headers}{allow}, 'POST, OPTIONS', 'what is allowed');


# --- an upload in pieces

my $u = Imagegram::Tus->create($t, $png,
    fields => [author => 'ann', body => "first\r\nlight", filename => 'x']);

$r = $u->head;
is($r->{status}, 200, 'HEAD');
is($r->{headers}{'upload-offset'}, 0, 'nothing yet');
is($r->{headers}{'upload-length'}, length $png, 'its length');
is($r->{headers}{'upload-metadata'},
    metadata(author => 'ann', body => "first\r\nlight", filename => 'x'),
    'its metadata as it was sent');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');
like($r->{headers}{'upload-expires'}, qr/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/,
    'Upload-Expires');
is($r->{headers}{'tus-resumable'}, '1.0.0', 'Tus-Resumable');
ok(!$r->{headers}{'content-location'}, 'no post yet');

my $at = 0;

for my $size (1, 0, 40, 1, 500) {
    $r = $u->patch($at, substr $png, $at, $size);
    $at += $size;

    is($r->{status}, 204, "PATCH with $size bytes");
    is($r->{headers}{'upload-offset'}, $at, 'the new offset');
    ok($r->{headers}{'upload-expires'}, 'Upload-Expires');
    is($u->offset, $at, 'HEAD says the same');
}

# the time that is left counts from the last byte

my $bytes = $t->storage . '/uploads/' . $u->id;
my ($inode, $written) = ((stat $bytes)[1], 1_700_000_000);

utime $written, $written, $bytes;
is($u->head->{headers}{'upload-expires'}, 'Wed, 15 Nov 2023 22:13:20 GMT',
    'a day after the last byte');

$r = $u->patch($at, substr $png, $at);
is($r->{status}, 204, 'the last bytes');
is($r->{headers}{'upload-offset'}, length $png, 'the last offset');
is($r->{headers}{'content-location'}, '/posts/' . $u->id, 'the post');
ok(!$r->{headers}{'upload-expires'}, 'finished: no Upload-Expires');

my $post = $t->get($r->{headers}{'content-location'})->{json};

is($post->{Author}, 'ann', 'its author');
is($post->{Body}, "first\nlight", 'its body');
is($t->get($post->{Image})->{status}, 200, 'its image');
is(original($u->id, 'png'), $png, 'its original');
is((stat $t->storage . '/' . ($t->files('originals'))[0])[1], $inode,
    'which is the very file that was uploaded');
is_deeply([$t->files('uploads', 'tmp')], ['uploads/' . $u->id . '.info'],
    'only the record remains');

for (1, 2) {
    $r = $u->head;
    is($r->{headers}{'content-location'}, '/posts/' . $u->id, 'HEAD again');
    is($r->{headers}{'upload-offset'}, length $png, 'with the offset');
    is($u->patch(length $png, '')->{headers}{'content-location'},
        '/posts/' . $u->id, 'an empty PATCH again');
    is_problem($u->patch($at, substr $png, $at), 409, 'the last bytes again');
}

is(scalar @{ $t->get('posts')->{json}{posts} }, 1, 'one post');

# more than all of it: a body, whatever it looks like

my $request = "GET /posts HTTP/1.1\r\nHost: localhost\r\n\r\n";
my $more = $u->begin(length $png, $request, length $request);

is_problem($more->response, 413, 'more bytes after the last one');
ok($more->closed(30), 'are not the next request');

# deleting a finished upload leaves the post; deleting the post not the upload

is($u->request('DELETE')->{status}, 204, 'DELETE of a finished upload');
is_problem($u->patch(0, ''), 404, 'it is gone');
is($t->get('posts/' . $u->id)->{status}, 200, 'the post is not');

my $v = Imagegram::Tus->create($t, $png);

$v->patch(0, $png);
is($t->delete('posts/' . $v->id)->{status}, 204, 'a post is deleted');
is($v->post, '/posts/' . $v->id, 'its upload is still known');
$v->request('DELETE');
$t->delete('posts/' . $u->id);
is_deeply([$t->files], [], 'nothing is left');


# --- creation with upload

$r = create_request($t, length $png, body => $png);
is($r->{status}, 201, 'created with all bytes');
is($r->{headers}{'upload-offset'}, length $png, 'the offset');
like($r->{headers}{'content-location'}, qr{^/posts/}, 'the post');
like($r->{headers}{location}, qr{^/uploads/}, 'and the upload');

$r = create_request($t, length $png, body => substr $png, 0, 50);
is($r->{status}, 201, 'created with some bytes');
is($r->{headers}{'upload-offset'}, 50, 'the offset');
$u = Imagegram::Tus->new($t, $r->{headers}{location});
is($u->patch(50, substr $png, 50)->{status}, 204, 'and the others');

# the other formats, over HTTP/2, below another location, in chunks

my %images = (jpg => Imagegram::Image::jpeg(64, 48),
    bmp => Imagegram::Image::bmp(20, 20));

for my $format (sort keys %images) {
    $u = Imagegram::Tus->create($t, $images{$format});
    is($u->patch(0, $images{$format}, chunked => 1)->{status}, 204, $format);
    is(original($u->id, $format), $images{$format}, "$format: its original");
}

$r = tus_request($t, 'POST', '/api/v1/uploads', length => 0, headers => [
    'Upload-Length' => length $png,
    'Upload-Metadata' => metadata(author => 'ann', body => 'x') ]);
like($r->{headers}{location}, qr{^/api/v1/uploads/}, 'another location');
$u = Imagegram::Tus->new($t, $r->{headers}{location});
is($u->patch(0, $png)->{headers}{'content-location'},
    '/api/v1/posts/' . $u->id, 'and its post');

$u = Imagegram::Tus->create($t, $png);
Imagegram::spew($t->dir . '/half', substr $png, 0, 100);
Imagegram::spew($t->dir . '/rest', substr $png, 100);

for my $part (['half', 0], ['rest', 100]) {
    $r = $t->curl(2, $u->path, '--http2-prior-knowledge', '-X', 'PATCH',
        '-H', 'Tus-Resumable: 1.0.0', '-H', "Upload-Offset: $part->[1]",
        '-H', 'Content-Type: application/offset+octet-stream',
        '--data-binary', "\@@{[$t->dir]}/$part->[0]");
    is($r->{status}, 204, "HTTP/2: $part->[0]");
}

is($r->{headers}{'content-location'}, '/posts/' . $u->id, 'HTTP/2: the post');

# an empty body that ends a moment after its header, as curl's does there

$r = $t->curl(2, 'uploads', '--http2-prior-knowledge', '-d', '',
    '-H', 'Tus-Resumable: 1.0.0', '-H', 'Upload-Length: ' . length $png,
    '-H', 'Upload-Metadata: ' . metadata(author => 'ann', body => 'x'));
is($r->{status}, 201, 'HTTP/2: a creation with an empty body');

$r = $t->curl(2, $u->path, '--http2-prior-knowledge', '-X', 'PATCH',
    '-d', '', '-H', 'Tus-Resumable: 1.0.0',
    '-H', 'Upload-Offset: ' . length $png);
is($r->{headers}{'content-location'}, '/posts/' . $u->id,
    'HTTP/2: an empty PATCH');
is($t->curl(2, $u->path, '--http2-prior-knowledge', '--head',
    '-H', 'Tus-Resumable: 1.0.0')->{headers}{'content-location'},
    '/posts/' . $u->id, 'HTTP/2: HEAD');

# X-HTTP-Method-Override

$u = Imagegram::Tus->create($t, $png);
$r = $u->request('POST', $u->chunk(0, $png,
    headers => ['X-HTTP-Method-Override' => 'PATCH']));
is($r->{status}, 204, 'a POST that stands for PATCH');
is($u->request('POST', length => 0,
    headers => ['X-HTTP-Method-Override' => 'DELETE'])->{status}, 204,
    'and for DELETE');
is_problem($u->request('POST', length => 0), 405, 'a POST that does not');

for my $method ('GET', 'PUT', 'POST', 'patch', 'PATCHED', 'PATCH,DELETE', '') {
    is_problem($u->request('POST', length => 0,
        headers => ['X-HTTP-Method-Override' => $method]), 405,
        "nor for \"$method\"");
    is(create_request($t, 10, headers => ['X-HTTP-Method-Override' => $method])
        ->{status}, 201, 'but is one');
}

$t->delete("posts/$_->{PostID}") for @{ $t->get('posts')->{json}{posts} };
Imagegram::Tus->new($t, "/uploads/$_")->request('DELETE')
    for map { m{uploads/(.*)\.info} } $t->files('uploads');

is_deeply($t->stored, $before, 'nothing is left');


# --- checksums

$u = Imagegram::Tus->create($t, $png);

my $half = substr $png, 0, 300;

$r = $u->patch(0, $half, sha1 => sha1_hex('other'));
is_problem($r, 460, 'a wrong checksum');
is($u->offset, 0, 'the chunk is dropped');
is($u->patch(0, $half, sha1 => sha1_hex($half))->{status}, 204,
    'a right checksum');
is($u->offset, 300, 'the chunk counts');
is_problem($u->patch(300, substr($png, 300), sha1 => sha1_hex('')), 460,
    'a wrong one with the last byte');
is($u->offset, 300, 'dropped');
is(scalar @{ $t->get('posts')->{json}{posts} }, 0, 'no post');

# half a chunk does not count, whoever comes next

my $c = $u->begin(300, substr($png, 300), 100,
    sha1 => sha1_hex(substr $png, 300));

select undef, undef, undef, 0.2;
is($u->offset, 300, 'half a chunk with a checksum');
$c->close;
is($u->offset, 300, 'nor does it when the client left');

for my $checksum ('sha1', 'sha1 x', 'sha1 ' . encode_base64('x', ''),
    'md5 ' . encode_base64('x' x 16, ''), '')
{
    is_problem($u->patch(300, 'x', headers => ['Upload-Checksum' =>
        $checksum]), 400, "malformed: '$checksum'");
}

is($u->patch(300, substr($png, 300),
    sha1 => sha1_hex(substr $png, 300))->{headers}{'content-location'},
    '/posts/' . $u->id, 'the last chunk');
is(original($u->id, 'png'), $png, 'the original');
$t->delete('posts/' . $u->id);
$u->request('DELETE');


# --- termination

$u = Imagegram::Tus->create($t, $png);
$u->patch(0, $half);
is($u->request('DELETE')->{status}, 204, 'DELETE');
is($u->head->{status}, 404, 'it is gone');
is_problem($u->patch(300, 'x'), 404, 'for good');
is_problem($u->request('DELETE'), 404, 'and cannot be deleted twice');


# --- refused, with nothing left

for my $version (undef, '', '0.2.2', '1.0.0, 2.0.0') {
    for my $method (qw(HEAD PATCH DELETE)) {
        $r = tus_request($t, $method, 'uploads/' . $u->id, tus => $version);
        is($r->{status}, 412, "$method with another version");
        is($r->{headers}{'tus-version'}, '1.0.0', 'and is told ours');
    }
}

is_problem(create_request($t, 10, tus => '2'), 412, 'POST, likewise');

for my $length (undef, '', '-1', '1.5', '0x10', ' ', '9' x 30, '1 2') {
    $r = tus_request($t, 'POST', 'uploads', length => 0, headers => [
        defined $length ? ('Upload-Length' => $length) : (),
        'Upload-Metadata' => metadata(author => 'a', body => 'b') ]);
    is_problem($r, 400, 'Upload-Length: ' . ($length // 'none'));
}

is_problem(create_request($t, 104_857_601), 413, 'too large');
is_field_problem(create_request($t, 0), 'image', 'empty');

for my $case (
    [[],                                       'author body'],
    [[author => 'a'],                          'body'],
    [[body => 'b'],                            'author'],
    [[author => '', body => 'b'],              'author'],
    [[author => 'a' x 65, body => "\xff"],     'author body'],
    [[author => "a\0", body => 'b' x 2201],    'author body'],
) {
    is_field_problem(create_request($t, 10, fields => $case->[0]), $case->[1],
        "metadata: $case->[1]");
}

for my $metadata ('author', ',', 'author YQ==,author YQ==,body YQ==') {
    $r = tus_request($t, 'POST', 'uploads', length => 0, headers => [
        'Upload-Length' => 10, 'Upload-Metadata' => $metadata ]);
    ok($r->{status} == 400 || $r->{status} == 422, "malformed: $metadata");
}

is_field_problem(tus_request($t, 'POST', 'uploads', length => 0, headers => [
    'Upload-Length' => 10, 'Upload-Metadata' => 'author !!!,body YQ==' ]),
    'author', 'no base64');

is_problem(create_request($t, 10, body => 'x' x 11), 413,
    'more than announced');
is_problem(tus_request($t, 'POST', 'uploads', body => 'xx', headers => [
    'Upload-Length' => 10, 'Content-Type' => 'image/png',
    'Upload-Metadata' => metadata(author => 'a', body => 'b') ]), 415,
    'another type of body');
is_problem(create_request($t, length $png, body => $half,
    headers => ['Upload-Checksum' => 'sha1 ' . encode_base64('x' x 20, '')]),
    460, 'created with a wrong checksum');

is_deeply($t->stored, $before, 'nothing is left');

$u = Imagegram::Tus->create($t, $png);

for my $offset (undef, '', '-1', 'x', '1,0') {
    is_problem($u->request('PATCH', body => 'x', headers => [
        defined $offset ? ('Upload-Offset' => $offset) : (),
        'Content-Type' => 'application/offset+octet-stream']), 400,
        'Upload-Offset: ' . ($offset // 'none'));
}

is_problem($u->patch(1, 'x'), 409, 'another offset');
is_problem($u->request('PATCH', body => 'x',
    headers => ['Upload-Offset' => 0]), 415, 'no type of body');
is_problem($u->patch(0, $png . 'x'), 413, 'more than announced');
is($u->offset, 0, 'none of it counts');
is_problem(tus_request($t, 'PATCH', 'uploads/' . $u->id . 'x'), 404,
    'no such path');
$u->request('DELETE');


# --- the first bytes tell

for my $case (
    [415, 'GIF89a' . "\0" x 50,                        'a GIF'],
    [415, 'hello',                                     'text'],
    [422, "\x89PNG\r\n\x1a\n" . Imagegram::Image::chunk('IHDR',
        pack 'NNC5', 60_000, 60_000, 8, 2, 0, 0, 0),    'too many pixels'],
    [422, substr(Imagegram::Image::png(0, 8), 0, 60),  'no pixels'],
) {
    my ($status, $bytes, $what) = @$case;

    $u = Imagegram::Tus->create($t, 'x' x 100_000);
    $r = $u->patch(0, $bytes);
    is($r->{status}, $status, "$what: $status");
    is($r->{json}{errors}[0]{field}, 'image', "$what: the image");
    is($u->head->{status}, 404, "$what: the upload is gone");

    is(create_request($t, 100_000, body => $bytes)->{status}, $status,
        "$what: when it is created");

    # of a large chunk no more than that is sent

    $u = Imagegram::Tus->create($t, 'x' x 100_000);

    my $c = $u->begin(0, $bytes . 'x' x 90_000, length $bytes);

    is($c->response->{status}, $status, "$what: before the rest has come");
}

# what the header of a request tells, before the body is sent at all

$u = Imagegram::Tus->create($t, $png);

for my $case (
    [404, 0, 10, path => 'uploads/' . ('0' x 8) . '-0000-4000-8000-'
        . '0' x 12],
    [409, 1, 10],
    [412, 0, 10, tus => '0.2.2'],
    [413, 0, 1 + length $png],
    [415, 0, 10, type => 'image/png'],
    [400, 0, 10, headers => ['Upload-Checksum' => 'sha1 x']],
) {
    my ($status, $offset, $length, %request) = @$case;
    my $asked = 0;
    my $type = delete $request{type} // 'application/offset+octet-stream';
    my $path = delete $request{path} // $u->path;
    my @headers = @{ delete $request{headers} // [] };

    $r = tus_request($t, 'PATCH', $path, expect => 1, length => $length,
        body => sub { $asked++; 'x' }, %request, headers => [@headers,
            'Upload-Offset' => $offset, 'Content-Type' => $type]);
    is_problem($r, $status, "$status, told by the header");
    is_deeply($r->{interim}, [], "$status: without 100 Continue");
    is($asked, 0, "$status: the body is not waited for");
}

is($u->patch(0, $png, expect => 1)->{status}, 204, '100 Continue otherwise');
$t->delete('posts/' . $u->id);
$u->request('DELETE');

# in a location with other limits

for my $case ([413, 1025, ''], [422, 1000, substr(Imagegram::Image::png(40, 40),
    0, 40)])
{
    my ($status, $length, $bytes) = @$case;

    $r = tus_request($t, 'POST', '/small/uploads', body => $bytes,
        headers => ['Upload-Length' => $length,
        'Content-Type' => 'application/offset+octet-stream',
        'Upload-Metadata' => metadata(author => 'a', body => 'b') ]);
    is_problem($r, $status, "a smaller limit: $status");
}

# the last byte tells

my $broken = substr($png, 0, -30) . 'x' x 30;

$u = Imagegram::Tus->create($t, $broken);
$r = $u->patch(0, $broken);
is_field_problem($r, 'image', 'an image that cannot be decoded');
is($u->head->{status}, 404, 'is gone');

is_deeply($t->stored, $before, 'nothing is left');


# --- when it is over

like($t->log, qr/using the/, 'a log');
unlike($t->log, qr/\[(?:error|crit|alert|emerg)\]/, 'without errors');

done_testing();
