#!/usr/bin/perl

# What POST posts refuses, and that nothing of it is left behind.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(encode_utf8);
use MIME::Base64 qw(encode_base64);

use Imagegram;
use Imagegram::Image;
use Test::More;


my $t = Imagegram->new->start;

my $png = Imagegram::Image::png(8, 8);
my $jpeg = Imagegram::Image::jpeg(64, 48);
my $bmp = Imagegram::Image::bmp(8, 8);
my $base64 = encode_base64($png, '');

# keys that a first post makes and that stay
$t->delete('posts/' . $t->post->{PostID});

my $before = $t->stored;

sub refused {
    my ($what, $r, $status, @fields) = @_;

    subtest $what => sub {
        is($r->{status}, $status, 'status') or diag($r->{body});
        is($r->{headers}{'content-type'}, 'application/problem+json',
            'a problem');
        is($r->{json}{status}, $status, 'that knows its status');
        is(join(' ', map { $_->{field} } @{ $r->{json}{errors} // [] }),
            "@fields", 'with the fields at fault');
        unlike($r->{body}, qr{/tmp|storage|redis}i, 'and tells no secrets');
        is_deeply($t->stored, $before, 'nothing is left');
    };
}


# --- fields, in both bodies

my $long = 'x' x 3000;

my @fields = (
    ['no author',            { author => undef }, 'author'],
    ['no body',              { body => undef }, 'body'],
    ['no image',             { image => undef }, 'image'],
    ['nothing at all',       { author => undef, body => undef,
        image => undef }, 'author', 'body', 'image'],
    ['an empty author',      { author => '' }, 'author'],
    ['an empty body',        { body => '' }, 'body'],
    ['65 characters',        { author => 'ü' x 65 }, 'author'],
    ['2201 characters',      { body => 'ü' x 2201 }, 'body'],
    ['many more',            { author => $long, body => $long }, 'author',
        'body'],
    ['a NUL',                { author => "a\0" }, 'author'],
    ['an escape character',  { body => "\e[1m" }, 'body'],
    ['DEL',                  { body => "x\x7f" }, 'body'],
    ['a C1 character',       { author => "x\x{85}" }, 'author'],
    ['several at a time',    { author => '', body => "\a", image => undef },
        'author', 'body', 'image'],
);

for my $case (@fields) {
    my ($what, $changes, @at_fault) = @$case;

    my %fields = (author => 'ann', body => 'x', image => $png, %$changes);

    my @form = map { defined $fields{$_}
        ? ($_ => $_ eq 'image' ? $png : encode_utf8($fields{$_})) : ()
    } qw(author body image);

    refused("multipart: $what", $t->form('posts', \@form), 422, @at_fault);

    my $image = delete $fields{image};

    delete $fields{$_} for grep { !defined $fields{$_} } keys %fields;
    $fields{image_contents} = $base64 if $image;

    refused("JSON: $what", $t->json('posts', \%fields), 422,
        map { $_ eq 'image' ? 'image_contents' : $_ } @at_fault);
}

for my $field (qw(author body image)) {
    my @form = (author => 'ann', body => 'x', image => $png);

    refused("multipart: $field twice",
        $t->form('posts', [@form, $field => 'x']), 422, $field);
}

for my $bytes ("\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf",
    "\xf4\x90\x80\x80")
{
    refused(sprintf('multipart: not UTF-8: %s', unpack 'H*', $bytes),
        $t->form('posts', [author => 'ann', body => $bytes, image => $png]),
        422, 'body');
}

for my $value (7, \1, undef, ['x'], { x => 'y' }) {
    my %fields = (author => 'ann', body => 'x', image_contents => $base64);

    refused('JSON: not a string',
        $t->json('posts', { %fields, $_ => $value }), 422, $_)
        for qw(author body image_contents);
}

for my $bad ('?', "$base64=", "=$base64", substr($base64, 0, 7), 'AB=C', 'A',
    "$base64$base64=x", "Zm9v\0", '?' . $base64 x 1000)
{
    refused('JSON: bad base64', $t->json('posts', { author => 'ann',
        body => 'x', image_contents => $bad }), 422, 'image_contents');
}


# what is just within the rules

for my $case (
    ['64 and 2200 characters', '𝔘' x 64, '€' x 2200],
    ['tab and LF',             "\ta\n", "\n\t"],
    ['CR LF and CR become LF', "a\r\nb\rc", "a\r\r\nb", "a\nb\nc", "a\n\nb"],
    ['2200 times CR LF',       'a', "\r\n" x 2200, 'a', "\n" x 2200],
) {
    my ($what, $author, $body, @kept) = @$case;

    my $r = $t->form('posts', [author => encode_utf8($author),
        body => encode_utf8($body), image => $png]);

    @kept = ($author, $body) unless @kept;

    is($r->{status}, 201, "accepted: $what");
    is_deeply([@{ $r->{json} }{qw(Author Body)}], \@kept, 'and kept');

    my $s = $t->json('posts', { author => $author, body => $body,
        image_contents => $base64 });

    is_deeply([@{ $s->{json} }{qw(Author Body)}], \@kept, 'in JSON, too');

    $t->delete($_->{headers}{location}) for $r, $s;
}

# fields that nobody knows, which are not even UTF-8 in a form

for my $r (
    $t->form('posts', [camera => "\xff", author => 'ann', body => 'x',
        image => $png, camera => '']),
    $t->json('posts', { camera => 'x', Author => 'ben', author => 'ann',
        body => 'x', image_contents => $base64, image => 'x' }),
) {
    is($r->{status}, 201, 'other fields are ignored');
    is($r->{json}{Author}, 'ann', 'whatever they are called');
    $t->delete($r->{headers}{location});
}


# --- images

my %unacceptable = (
    'a GIF'  => "GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
    'a WebP' => "RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0" . "\0" x 24,
    'an SVG' => '<svg xmlns="http://www.w3.org/2000/svg"/>',
    'a TIFF' => "II*\0\x08\0\0\0" . "\0" x 40,
    'text'   => 'mvg:/etc/passwd',
    'BM'     => 'BM, but no bitmap: just some text',
    'a byte' => 'B',
);

my %broken = (
    'half a PNG'           => substr($png, 0, length($png) / 2),
    'half a JPEG'          => substr($jpeg, 0, length($jpeg) / 2),
    'half a BMP'           => substr($bmp, 0, length($bmp) / 2),
    'the start of a PNG'   => substr($png, 0, 20),
    'the start of a JPEG'  => substr($jpeg, 0, 20),
    'the start of a BMP'   => substr($bmp, 0, 20),
    'a PNG without IEND'   => substr($png, 0, -12),
    'a PNG with a bad CRC' => $png
        =~ s/(IDAT.*).{16}\z/$1xxxx\0\0\0\0IEND\xaeB`\x82/sr,
    'no pixels'            => Imagegram::Image::png(0, 8),
    'too many, and 1 MB more' => substr($png, 0, 16) . pack('N2', 20_000,
        20_000) . substr($png, 24) . "\0" x (1 << 20),
);

for my $status (415, 422) {
    my $images = $status == 415 ? \%unacceptable : \%broken;

    for my $what (sort keys %$images) {
        my $image = $images->{$what};

        refused("multipart: $what", $t->form('posts', [author => 'ann',
            body => 'x', image => $image]), $status, 'image');

        refused("JSON: $what", $t->json('posts', { author => 'ann',
            body => 'x', image_contents => encode_base64($image, '') }),
            $status, 'image_contents');
    }
}

refused('multipart: an empty image', $t->form('posts', [author => 'ann',
    body => 'x', image => '']), 422, 'image');
refused('JSON: an empty image', $t->json('posts', { author => 'ann',
    body => 'x', image_contents => '' }), 422, 'image_contents');


# --- bodies that are no bodies

my ($type, $form) = Imagegram::Body::multipart(author => 'ann', body => 'x',
    image => $png);
my ($boundary) = $type =~ /boundary=(.*)/;
my $json = qq({"author":"ann","body":"x","image_contents":"$base64");

my @malformed = (
    ['no boundary',           'multipart/form-data', $form],
    ['an empty boundary',     'multipart/form-data; boundary=', $form],
    ['a very long boundary',  'multipart/form-data; boundary=' . 'x' x 300,
        $form],
    ['another boundary',      'multipart/form-data; boundary=x', $form],
    ['an empty form',         $type, ''],
    ['no end',                $type, $form =~ s/--\r\n\z//r],
    ['half of it',            $type, substr($form, 0, length($form) / 2)],
    ['no names',              $type, $form =~ s/name=/nom=/gr],
    ['a NUL in a header',     $type, $form =~ s/filename="/filename="\0/r],
    ['too long a header',     $type, $form =~ s/photo/'x' x 100_000/er],
    ['a thousand parts',      $type, join('', map {
        "--$boundary\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"
        } 1 .. 1000) . $form],

    ['no JSON',               'application/json', ''],
    ['a missing brace',       'application/json', $json],
    ['something behind it',   'application/json', "$json} x"],
    ['two values',            'application/json', "$json}$json}"],
    ['an author twice',       'application/json', qq($json,"author":"b"})],
    ['an unknown one twice',  'application/json', qq($json,"a":1,"a":2})],
    ['an array',              'application/json', '[]'],
    ['a string',              'application/json', '"x"'],
    ['a trailing comma',      'application/json', "$json,}"],
    ['a comment',             'application/json', "$json}//"],
    ['a leading zero',        'application/json', qq($json,"a":01})],
    ['a BOM',                 'application/json', "\xef\xbb\xbf$json}"],
    ['half a surrogate pair', 'application/json', qq($json,"a":"\\ud83d"})],
    ['bytes that are no UTF-8', 'application/json', qq($json,"a":"\xff"})],
    ['a control character',   'application/json', qq($json,"a":"\n"})],
    ['deep nesting',          'application/json', qq($json,"a":)
        . '[' x 10_000 . ']' x 10_000 . '}'],
);

for my $case (@malformed) {
    my ($what, $type, $body) = @$case;

    refused("malformed: $what", $t->request('POST', 'posts', body => $body,
        headers => ['Content-Type' => $type]), 400);
}

for my $type ('text/plain', 'application/x-www-form-urlencoded', 'image/png',
    'application/jsonp', 'multipart/form-datax; boundary=x', 'multipart/mixed')
{
    refused("another type: $type", $t->request('POST', 'posts',
        body => $png, headers => ['Content-Type' => $type]), 415);
}

refused('no type', $t->request('POST', 'posts', body => $form), 415);
refused('no body', $t->request('POST', 'posts', length => 0,
    headers => ['Content-Type' => $type]), 400);

# content types are case-insensitive, and boundaries may be quoted

for my $type ("Multipart/Form-Data; Charset=utf-8; Boundary=\"$boundary\"",
    "multipart/form-data;xboundary=y;boundary=$boundary ; x=y")
{
    my $r = $t->request('POST', 'posts', body => $form,
        headers => ['Content-Type' => $type]);

    is($r->{status}, 201, $type);
}

done_testing();
