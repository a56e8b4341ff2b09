package Imagegram::Requests;

# One request of each kind, for tests in which something fails at each step.
#
#   my $t = Imagegram->new(Imagegram::Requests::options(), preload => ...);
#   my $requests = Imagegram::Requests->new($t->start);
#   for my $what ($requests->kinds) {
#       my @request = $requests->stage($what);  # makes what it is about
#       my $r = $t->request(@request);
#   }

use strict;
use warnings;

use Digest::SHA qw(sha1_hex);
use MIME::Base64 qw(encode_base64);

use Imagegram::Body ();
use Imagegram::Image ();
use Imagegram::Process qw(wait_for);
use Imagegram::Tus ();


my @ann = (user => 'ann');
my @tus = ('Tus-Resumable' => '1.0.0');

my %requests = (
    'GET posts'            => sub { ['GET', 'posts'] },
    'GET posts, cached'    => sub { ['GET', '/posts', port => 2] },
    'GET posts, gzip'      => sub { ['GET', '/posts', port => 2,
        headers => ['Accept-Encoding' => 'gzip']] },
    'GET posts, base64'    => sub { ['GET', 'posts?images=base64&limit=3'] },
    'HEAD posts'           => sub { ['HEAD', 'posts?limit=2'] },
    'GET posts/ID'         => sub { ['GET', "posts/$_[0]{post}"] },
    'GET comments'         => sub {
        ['GET', "posts/$_[0]{post}/comments?limit=1"] },
    'GET comments/ID'      => sub { ['GET', comment(@_)] },
    'POST comments'        => sub {
        ['POST', "posts/$_[0]{post}/comments", @ann, json => { body => 'x' }] },
    'POST comments, again' => sub {
        ['POST', "posts/$_[0]{post}/comments", @ann,
            headers => ['Idempotency-Key' => key(@_)],
            json => { body => 'x' }] },
    'DELETE comments/ID'   => sub { ['DELETE', comment(@_), @ann] },
    'DELETE posts/ID'      => sub { ['DELETE', post(@_), @ann] },
    'POST posts'           => sub {
        my ($type, $body) = Imagegram::Body::multipart(body => 'x',
            image => $_[0]{image});
        ['POST', 'posts', @ann, body => $body,
            headers => ['Content-Type' => $type]] },
    'POST posts, mirrored' => sub {
        my ($type, $body) = Imagegram::Body::multipart(author => 'ann',
            body => 'x', image => $_[0]{image});
        ['POST', '/mirrored/posts', port => 2, body => $body,
            headers => ['Content-Type' => $type]] },
    'POST posts, JSON'     => sub {
        ['POST', 'posts', @ann, headers => ['Idempotency-Key' => key(@_)],
            json => { body => 'x',
                image_contents => encode_base64($_[0]{image}, '') }] },
    'POST uploads'         => sub {
        ['POST', 'uploads', @ann, length => 0, headers => [@tus,
            'Upload-Length' => length $_[0]{image},
            'Upload-Metadata' => Imagegram::Tus::metadata(body => 'x')]] },
    'HEAD uploads/ID'      => sub {
        ['HEAD', upload(@_)->path, @ann, headers => [@tus]] },
    'PATCH uploads/ID'     => sub { patch(upload(@_), 0, $_[0]{image}) },
    'PATCH, checksum'      => sub {
        patch(upload(@_), 0, $_[0]{image}, sha1 => sha1_hex($_[0]{image})) },
    'PATCH, in the midst'  => sub {
        my $upload = upload(@_);
        $upload->patch(0, substr($_[0]{image}, 0, 20), @ann);
        patch($upload, 20, substr $_[0]{image}, 20) },
    'DELETE uploads/ID'    => sub {
        ['DELETE', upload(@_)->path, @ann, headers => [@tus]] },
    'OPTIONS'              => sub { ['OPTIONS', 'uploads'] },
    'OPTIONS, preflight'   => sub {
        ['OPTIONS', '/posts', port => 2, headers => [
            Origin => 'https://example.com',
            'Access-Control-Request-Method' => 'POST']] },
    'GET posts, of others' => sub {
        ['GET', '/posts', port => 2,
            headers => [Origin => 'https://example.com']] },
    'GET none'             => sub { ['GET', 'none'] },
);


# What Imagegram->new needs for all of them.  Pools are as small as nginx lets
# them be: nearly each thing is an allocation.

sub options {
    return (
        users    => { ann => 'a' },
        settings => { redis => '%%REDIS%% timeout=20s' },
        http     => 'connection_pool_size 256; request_pool_size 256;',
        servers  => 'server {
            listen 127.0.0.1:%%PORT_2%%;
            location / {
                imagegram;
                imagegram_cache zone=feed:1m;
                imagegram_allow_origin https://example.com;
            }
            location /mirrored/ {
                imagegram;
                client_body_in_file_only clean;
                mirror /mirror;
            }
            location /mirror {
                internal;
                return 204;
            }
        }',
    );
}


sub new {
    my ($class, $t) = @_;

    return bless {
        t     => $t,
        image => Imagegram::Image::png(4, 4),
        post  => $t->post(@ann, author => 'ann')->{PostID},
        keys  => 0,
    }, $class;
}


sub kinds { sort keys %requests }


# Method, path and options of Imagegram::request, once it can be made: what
# failed before may not be over.

sub stage {
    my ($self, $what) = @_;

    wait_for(sub {
        $self->{t}->get('posts?limit=1')->{status} == 200
    }, 30) or die "it does not serve:\n", $self->{t}->log(20), "\n";

    return @{ $requests{$what}->($self) };
}


# --- what a request is about

sub post {
    my ($self) = @_;
    return 'posts/' . $self->{t}->post(@ann, author => 'ann')->{PostID};
}

sub comment {
    my ($self) = @_;

    return "posts/$self->{post}/comments/"
        . $self->{t}->comment($self->{post}, @ann)->{CommentID};
}

sub upload { Imagegram::Tus->create($_[0]{t}, $_[0]{image}, @ann) }

sub key { 'k' . ++$_[0]{keys} }

sub patch {
    my ($upload, @chunk) = @_;

    my %chunk = $upload->chunk(@chunk);

    return ['PATCH', $upload->path, @ann, %chunk,
        headers => [@{ $chunk{headers} }, @tus]];
}


1;
