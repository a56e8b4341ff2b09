#!/usr/bin/perl

# Who may do what, for each method, whichever way nginx knows who it is: by
# password, by a subrequest, by a client's certificate.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Imagegram;
use Imagegram::Assert;
use Imagegram::Image;
use Imagegram::Tus qw(metadata);
use Test::More;


my $t = Imagegram->new(
    users   => { ann => 'a', ben => 'b' },
    http    => 'large_client_header_buffers 4 32k;
        map $ssl_client_s_dn $person { "~^CN=([^,]+)$" $1; }',
    server  => '
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
        }

        location /header/ {
            imagegram;
            imagegram_user $http_x_account_id;
        }',
    servers => '
        server {
            listen 127.0.0.1:%%PORT_2%% ssl;
            ssl_certificate %%DIR%%/server.crt;
            ssl_certificate_key %%DIR%%/server.key;
            ssl_client_certificate %%DIR%%/server.crt;
            ssl_verify_client optional;

            location / { imagegram; imagegram_user $person; }
        }

        server {
            listen 127.0.0.1:%%PORT_3%%;

            location / {
                if ($http_x_token !~ "^(ann|ben)-token$") { return 401; }
                set $name $1;
                add_header X-Account $name;
                return 204;
            }
        }',
);

# the authority, which is the server, too; ann and ben; and ann by another one

my $dir = $t->dir;

sub openssl {
    my (@arguments) = @_;

    system('openssl', @arguments) == 0
        or die "openssl: ", Imagegram::slurp("$dir/openssl"), "\n";
}

open my $stderr, '>&', \*STDERR;
open STDERR, '>', "$dir/openssl";

for my $authority (qw(server other)) {
    openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -subj),
        "/CN=$authority",
        '-keyout', "$dir/$authority.key", '-out', "$dir/$authority.crt");
}

for my $case ([ann => 'server'], [ben => 'server'], [forged => 'other']) {
    my ($file, $authority) = @$case;
    my $name = $file eq 'forged' ? 'ann' : $file;

    openssl(qw(req -newkey rsa:2048 -nodes -subj), "/CN=$name", '-keyout',
        "$dir/$file.key", '-out', "$dir/$file.csr");
    openssl(qw(x509 -req -days 2 -set_serial 1 -in), "$dir/$file.csr", '-CA',
        "$dir/$authority.crt", '-CAkey', "$dir/$authority.key", '-out',
        "$dir/$file.crt");
}

open STDERR, '>&', $stderr;

$t->start;


# A request by curl, in one of the ways: who is ann, ben, undef for nobody, or
# "forged", who says that it is ann.

my %ways = (
    password => {
        base => '/',
        as   => sub {
            $_[0] eq 'forged' ? ('-u', 'ann:b')
                : ('-u', "$_[0]:" . substr $_[0], 0, 1)
        },
    },
    subrequest => {
        base => '/asked/',
        as   => sub { ('-H', "X-Token: $_[0]-token") },
    },
    certificate => {
        base => '/',
        port => 2,
        as   => sub {
            ('--cert', "$dir/$_[0].crt", '--key', "$dir/$_[0].key")
        },
    },
);

sub ask {
    my ($way, $who, $method, $path, @arguments) = @_;

    my $of = $ways{$way};
    my @as = defined $who ? $of->{as}->($who) : ();

    unshift @arguments, $method eq 'HEAD' ? '-I' : ('-X', $method);

    my $url = $of->{port} ? 'https://127.0.0.1:' . $t->port($of->{port}) : '';

    return $t->curl(1, "$url$of->{base}$path", '-k', @as, @arguments);
}

my $image = Imagegram::Image::png(2, 2);

Imagegram::spew("$dir/image", $image);

my @json = ('-H', 'Content-Type: application/json', '-d');
my @tus = ('-H', 'Tus-Resumable: 1.0.0');
my @patch = (@tus, '-H', 'Upload-Offset: 0', '-H',
    'Content-Type: application/offset+octet-stream', '--data-binary',
    "\@$dir/image");

sub upload {
    my ($way) = @_;

    my $r = ask($way, 'ann', 'POST', 'uploads', @tus, '-H',
        'Upload-Length: 100', '-H',
        'Upload-Metadata: ' . metadata(author => 'ann', body => 'x'));

    return 'uploads/' . ($r->{headers}{location} =~ m{([^/]+)$})[0];
}

sub post {
    my ($way, @who) = @_;

    my $r = ask($way, $who[0] // 'ann', 'POST', 'posts', '-F', 'body=x', '-F',
        "image=\@$dir/image");

    return "posts/$r->{json}{PostID}";
}

sub comment {
    my ($way, $post) = @_;

    my $r = ask($way, 'ann', 'POST', "$post/comments", @json, '{"body":"x"}');

    return "$post/comments/$r->{json}{CommentID}";
}


# everything is ann's

for my $way (sort keys %ways) {
    my $post = post($way);
    my $reading = $way eq 'subrequest' ? 401 : 200;

    for my $case (
        # what nobody, a forger, ben, and ann get
        ['GET',     'posts',            [$reading, $reading, 200, 200]],
        ['HEAD',    'posts',            [$reading, $reading, 200, 200]],
        ['GET',     $post,              [$reading, $reading, 200, 200]],
        ['GET',     "$post/comments",   [$reading, $reading, 200, 200]],
        ['GET',     sub { comment($way, $post) },
                                        [$reading, $reading, 200, 200]],
        ['POST',    'posts',            [401, 401, 201, 201],
            '-F', 'body=x', '-F', "image=\@$dir/image"],
        ['POST',    'posts',            [401, 401, 403, 201],
            '-F', 'author=ann', '-F', 'body=x', '-F', "image=\@$dir/image"],
        ['POST',    "$post/comments",   [401, 401, 201, 201],
            @json, '{"body":"x"}'],
        ['POST',    "$post/comments",   [401, 401, 403, 201],
            @json, '{"author":"ann","body":"x"}'],
        ['DELETE',  sub { comment($way, $post) },
                                        [401, 401, 403, 200]],
        ['DELETE',  sub { post($way) }, [401, 401, 403, 204]],
        ['POST',    'uploads',          [401, 401, 201, 201],
            @tus, '-H', 'Upload-Length: 100', '-H',
            'Upload-Metadata: ' . metadata(body => 'x')],
        ['POST',    'uploads',          [401, 401, 403, 201],
            @tus, '-H', 'Upload-Length: 100', '-H',
            'Upload-Metadata: ' . metadata(author => 'ann', body => 'x')],
        ['HEAD',    sub { upload($way) }, [401, 401, 404, 200], @tus],
        ['PATCH',   sub { upload($way) }, [401, 401, 404, 204], @patch],
        ['POST',    sub { upload($way) }, [401, 401, 404, 204], @patch,
            '-H', 'X-HTTP-Method-Override: PATCH'],
        ['DELETE',  sub { upload($way) }, [401, 401, 404, 204], @tus],
    ) {
        my ($method, $path, $statuses, @arguments) = @$case;
        my @who = (undef, qw(forged ben ann));

        for my $i (0 .. $#who) {
            my $at = ref $path ? $path->() : $path;
            my $status = $statuses->[$i];
            my $stored = $t->stored;
            my $r = ask($way, $who[$i], $method, $at, @arguments);
            my $name = "$way: " . ($who[$i] // 'nobody')
                . "'s $method " . ($at =~ s/[0-9a-f-]{36}/ID/gr);

            # a client whose certificate is no good gets nginx's own 400
            $status = 400 if $way eq 'certificate'
                && ($who[$i] // '') eq 'forged';

            $status < 400 || $method eq 'HEAD' || $status == 400
                ? is($r->{status}, $status, $name)
                : is_problem($r, $status, $name);

            if ($status >= 400) {
                is_deeply($t->stored, $stored, 'which changes nothing');
                unlike($r->{body}, qr/\bann\b/, 'and tells nothing of ann');
            }
        }
    }

    for my $path ('posts', $post, "$post/comments", 'uploads', upload($way)) {
        my $r = ask($way, undef, 'OPTIONS', $path);

        is($r->{status}, $reading == 200 ? 204 : 401,
            "$way: who may read may ask what there is to do");
    }
}


# what a name may be

sub named {
    my ($name, $method, $path, %options) = @_;

    return $t->request($method, "/header/$path", %options,
        headers => ['X-Account-Id' => $name]);
}

my $post = $t->post(user => 'ann', author => 'ann')->{PostID};

for my $case (
    ['a b',                     201, 'with a blank'],
    ['"a"; DROP',               201, 'with quotes'],
    ["a' OR '1'='1",            201, 'with others'],
    ['a\\"b',                   201, 'with an escape'],
    ['<script>alert(1)</script>', 201, 'of HTML'],
    ['../../etc/passwd',        201, 'of a path'],
    ["\xc3\x9cn\xc3\xaf",       201, 'in UTF-8'],
    ["a\x7fb",                  403, 'with a control character'],
    ["\xc3",                    403, 'of half a character'],
    ['a' x 10_240,              403, 'of 10 KB'],
) {
    my ($name, $status, $what) = @$case;
    my $r = named($name, 'POST', "posts/$post/comments",
        json => { body => 'x' });

    if ($status >= 400) {
        is_problem($r, $status, "a name $what");
        cmp_ok(length $r->{body}, '<', 1000, 'which is not repeated');
        next;
    }

    is($r->{status}, $status, "a name $what");

    my $author = $r->{json}{Author};

    utf8::encode($author);
    is($author, $name, 'is what it was');
    is($r->{headers}{'content-type'}, 'application/json', 'in JSON');
    is($r->{headers}{'x-content-type-options'}, 'nosniff',
        'which no browser takes for anything else');

    my $path = "posts/$post/comments/$r->{json}{CommentID}";

    is_problem(named('ben', 'DELETE', $path), 403, 'another one may not');
    is(named($name, 'DELETE', $path)->{status}, 200, 'it deletes its own');
}

done_testing();
