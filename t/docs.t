#!/usr/bin/perl

# What README.md and docs/ print is what there is.  Each command of their
# examples is run, in their order, and must answer what they say; only IDs and
# times differ.  Configurations must load, texts of problems be those of the
# source, and the rights that the docs give to Redis's user be enough.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy ();
use IPC::Open2 ();
use MIME::Base64 qw(encode_base64);
use POSIX ();

use Imagegram qw(slurp spew);
use Imagegram::Image;
use Test::More;


my $top = Imagegram->top;
my $uuid = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
my $etag = qr/"(?:[0-9a-f]{8}-[0-9a-f]+|[0-9a-f]{32})"/;


my $t = Imagegram->new(settings => { cache => 'zone=feed:1m' },
    servers => <<'END');
    map "$request_method $uri" $realm {
        "~^(GET|OPTIONS) "          off;
        "~^HEAD (?!.*/uploads/)"    off;
        default                     Imagegram;
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;

        location / {
            imagegram;
            imagegram_user $remote_user;
            imagegram_allow_origin https://app.example.org;
            auth_basic $realm;
            auth_basic_user_file %%DIR%%/htpasswd;
        }
    }
END

spew($t->dir . '/htpasswd', "ann:{PLAIN}secret\nben:{PLAIN}secret\n");

my $work = $t->dir . '/work';

mkdir $work;
Imagegram::Image::big_png("$work/photo.png", 48_000);
spew("$work/photo.jpg", ($t->convert(Imagegram::Image::png(40, 30)))[2]);
File::Copy::copy("$top/LICENSE", $work);

$t->start;


# --- examples

# Each file in a shell of its own, on an empty feed.  Sections that are about
# identities talk to the server that has them.

for my $file (qw(README.md docs/api.md docs/uploads.md)) {
    my $shell = shell();
    my ($said, $printed) = ({}, {});
    my $port = 1;

    $t->redis('FLUSHALL');

    for my $example (examples("$top/$file")) {
        my ($section, $command, $answer) = @$example;
        my $name = (split /\n/, "$file: $command")[0];

        $port = $section =~ /^(?:Identity|Who may|Other sites)/ ? 2 : 1;

        comments($said->{names}[0]) if $section eq 'GET posts';

        $command = actual($command, $said, $printed);

        my $text = $shell->($command, $t->port($port));

        is(plain($text, $said), plain($answer, $printed), $name);
    }
}


# --- problems

# Strings of C that are split over lines become one.

my $source = join '', map { slurp($_) }
    glob "$top/src/*.c $top/src/parse/*.h";

$source =~ s/"\s*\\?\n\s*"//g;

for my $text (slurp("$top/docs/api.md") =~ /"detail":"([^"]+)"/g) {
    ok(index($source, qq("$text")) >= 0, "a problem is that it $text");
}


# --- configurations

for my $conf (
    [ 'README.md' => 'client_max_body_size', 'http { server { %s } }' ],
    [ 'docs/directives.md' => 'load_module', '%s' ],
    [ 'docs/directives.md' => 'map $request_method',
        'http { %s server { listen 127.0.0.1:%%%%PORT%%%%; } }' ],
) {
    my ($file, $start, $around) = @$conf;

    my ($text) = slurp("$top/$file") =~ /```nginx\n(\Q$start\E.*?)```/s
        or die "$file has no $start\n";

    my ($status, $output)
        = Imagegram->new(conf => conf(sprintf $around, $text))->check_conf;

    is($status, 0, "nginx takes what $file prints, $start") or diag($output);
    unlike($output, qr/\[warn\]/, 'without a warning');
}


# What is printed, with paths and addresses that are there

sub conf {
    my ($text) = @_;

    my $more = "access_log off;\n"
        . "imagegram_converters 1 path=%%CONVERTER%%;\n" . join "\n",
        map { "${_}_temp_path %%DIR%%/tmp/$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    $more .= "\nimagegram_storage %%DIR%%/storage;"
        unless $text =~ /imagegram_storage/;

    $text =~ s/^load_module .*//m;
    $text =~ s/^user .*//m;
    $text =~ s{/var/lib/imagegram}{%%DIR%%/storage}g;
    $text =~ s{/etc/nginx/imagegram.htpasswd}{%%DIR%%/htpasswd}g;
    $text =~ s/listen 80;/listen 127.0.0.1:%%PORT%%;/;
    $text =~ s/http \{/http {\n$more/;
    $text .= 'events { }' unless $text =~ /^events/m;

    my $user = $> == 0 ? 'user www-data;' : '';

    return "load_module %%MODULE%%; pid %%DIR%%/nginx.pid;"
        . " error_log %%DIR%%/logs/error.log; $user\n$text";
}


# --- Redis's user

{
    my ($rule) = slurp("$top/docs/directives.md")
        =~ /^ACL SETUSER (imagegram .*?)^```/ms;

    my $r = Imagegram->new(
        redis    => ['--user', map { "'$_'" } split ' ', $rule =~ s/reset//r],
        settings => {
            redis => '%%REDIS%% db=1 username=imagegram password=secret',
            cache => 'zone=feed:1m',
        },
    );

    $r->start;

    my @key = (headers => ['Idempotency-Key' => 'a']);
    my $post = $r->json('posts', {
        author         => 'ann',
        body           => 'x',
        image_contents => encode_base64(Imagegram::Image::png(8, 8), ''),
    }, @key)->{json}{PostID};

    ok($post, 'the user may make a post') or diag($r->log);

    my $comment = $r->json("posts/$post/comments",
        { author => 'ben', body => 'x' }, @key)->{json}{CommentID};

    ok($comment, 'and comment on it');

    for my $path ('posts', "posts/$post", "posts/$post/comments",
        "posts/$post/comments/$comment")
    {
        is($r->get($path)->{status}, 200, "and GET $path");
    }

    is($r->delete("posts/$post/comments/$comment")->{status}, 200,
        'and delete a comment');
    is($r->delete("posts/$post")->{status}, 204, 'and a post');
    unlike($r->log, qr/NOPERM/, 'and what the cache needs');
}


# [ section, command, answer ] of each "$ command" in a block of a file

sub examples {
    my ($path) = @_;

    my ($section, $inside, @examples) = ('', 0);
    my @lines = split /^/, slurp($path);

    while (defined(my $line = shift @lines)) {
        if ($line =~ /^```/) {
            $inside = !$inside;

        } elsif ($inside && $line =~ s/^\$ //) {
            $line .= shift @lines while @lines && !complete($line);

            my $answer = '';

            $answer .= shift @lines while @lines && $lines[0] !~ /^(?:\$ |```)/;
            push @examples, [$section, $line =~ s/\n\z//r, $answer];

        } elsif (!$inside && $line =~ /^#+ (.*)/) {
            $section = $1;
        }
    }

    return @examples;
}


sub complete {
    my ($command) = @_;

    return 0 if $command =~ /\\\n\z/;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>', '/dev/null';
        exec 'bash', '-n', '-c', $command or POSIX::_exit(1);
    }

    waitpid $pid, 0;

    return $? == 0;
}


# A function that runs a command and gives what it printed.

sub shell {
    my $pid = IPC::Open2::open2(my $out, my $in, 'bash');

    print $in "cd $work; exec 2>&1\n";

    return sub {
        my ($command, $port) = @_;

        $command =~ s/\b127\.0\.0\.1:8080\b/127.0.0.1:@{[ $t->port ]}/;
        print $in "api=http://127.0.0.1:$port\n$command\necho; echo :end:\n";
        $in->flush;

        my $text = '';

        while (defined(my $line = <$out>)) {
            last if $line eq ":end:\n";
            $text .= $line;
        }

        return $text;
    };
}


# What the first post has when api.md comes to the feed

sub comments {
    my ($post) = @_;

    $t->comment($post);
    $t->comment($post, author => 'cleo', body => 'where was that?');
}


# A command with the IDs that this server gave.  One that was not printed
# before is a post of its own.

sub actual {
    my ($command, $said, $printed) = @_;

    $command =~ s{($uuid|$etag)}{
        my $n = number($printed, $1);

        number($said, $t->post->{PostID}) if $n > $#{ $said->{names} };
        $said->{names}[$n];
    }ge;

    $command =~ s{\w\w/\w\w/(?=(\w\w)(\w\w)\w{4}-)}{$1/$2/}g;

    return $command;
}


# An answer without what differs from run to run: IDs become numbers, in the
# order in which they were met.  How far an interrupted upload came is asked for
# alone.

sub plain {
    my ($text, $names) = @_;

    my $image = $text =~ m{^Content-Type: image/jpeg}m;

    $text =~ tr/\r//d;
    $text =~ s/^(?:Server|Date|Connection): .*\n//mg;
    $text =~ s/\b127\.0\.0\.1:\d+/127.0.0.1/g;
    $text =~ s{\b\w\w/\w\w/(?=$uuid)}{}g;
    $text =~ s/($uuid|$etag)/number($names, $1)/ge;
    $text =~ s/(?<="Timestamp":)\d{10}\b/0/g;
    $text =~ s/^(Last-Modified|Upload-Expires): .* GMT$/$1/mg;
    $text =~ s{^(Content-Range: .*/)\d+$}{$1}mg;
    $text =~ s/\A(Upload-Offset: )\d+\n*\z/$1/;
    $text =~ s/^(Content-Length: )(?!100$)\d+$/$1/mg if $image;
    $text =~ s/\n+\z//;

    return $text;
}


sub number {
    my ($names, $name) = @_;

    return $names->{numbers}{$name} //= do {
        push @{ $names->{names} }, $name;
        $#{ $names->{names} };
    };
}


done_testing();
