package Bench::Peers;

# What the feed is compared with: GET posts in Lua inside nginx, and in Node.js,
# over the same Redis with the same posts (bench/peers).
#
# Owns their processes, which end with the object.  Where one cannot be
# installed, its port is undef.

use strict;
use warnings;

use JSON::PP ();

use Imagegram qw(slurp spew wait_for alive);
use Imagegram::HTTP ();
use Imagegram::Process ();

use constant { LUA => 7, CARDS => 8, NODE => 9 };      # ports of the instance

my $json = JSON::PP->new->canonical;


# Fills their keys from the feed that the server has.

sub new {
    my ($class, $server, $processes, $cards) = @_;

    my $t = $server->t;
    my $top = $t->top;
    my $self = bless { server => $server, pids => [], port => {},
        pid => {} }, $class;

    fill($t);

    my $page = "$top/bench/peers/page.lua";
    my $script = $t->redis('SCRIPT', 'LOAD', slurp($page));

    if (installed('lua')) {
        my $pid = Imagegram::Process::spawn($self->lua($processes, $script,
            $cards), $t->dir . '/logs/lua');

        $self->started(lua => LUA, $pid);
        $self->started(lua_cards => CARDS, $pid);
    }

    if (installed('peers')) {
        my $pid = Imagegram::Process::spawn(join(' ', 'node',
            "$top/build/peers/feed-server.mjs", $t->port(NODE),
            $t->redis_socket, $page, $processes),
            $t->dir . '/logs/node');

        $self->started(node => NODE, $pid);
    }

    return $self;
}


sub port { $_[0]{port}{ $_[1] } }


# The processes that answer, of which the first one is the parent.

sub pids {
    my ($self, $name) = @_;

    my $pid = $self->{pid}{$name} or return;

    return ($pid, Imagegram::Process::children($pid));
}


sub installed {
    my ($target) = @_;

    return system("make -s -C '" . Imagegram->top
        . "' $target > /dev/null 2>&1") == 0;
}


sub started {
    my ($self, $name, $port, $pid) = @_;

    my $n = $self->{server}->t->port($port);

    push @{ $self->{pids} }, $pid;
    $self->{pid}{$name} = $pid;

    if (wait_for(sub { Imagegram::HTTP::listens($n) || !alive($pid) }, 20)
        && alive($pid))
    {
        $self->{port}{$name} = $n;
    }
}


# As a peer's data would look: a hash a post, a list of comments a post.

sub fill {
    my ($t) = @_;

    my %score = @{ $t->redis(qw(ZRANGE imagegram:{0}:feed 0 -1 WITHSCORES)) };
    my $path = '/posts?limit=100';

    while (defined $path) {
        my $page = $t->get($path)->{json};

        for my $post (@{ $page->{posts} }) {
            my $id = $post->{PostID};
            my $comments = delete $post->{LastComments};

            delete $post->{Status};
            $t->redis('HSET', "peer:post:$id", %$post);
            $t->redis('RPUSH', "peer:comments:$id",
                map { $json->encode($_) } @$comments) if @$comments;
            $t->redis('ZADD', 'peer:feed', $score{$id}, $id);
        }

        $path = $page->{nextPage} && "/posts?limit=100&nextPage="
            . $page->{nextPage};
    }
}


# nginx with lua-nginx-module, set up like the server: the command.

sub lua {
    my ($self, $processes, $script, $cards) = @_;

    my $t = $self->{server}->t;
    my $dir = $t->dir . '/lua';
    my $lua = $t->top . '/build/peers/lua/usr';
    my $peers = $t->top . '/bench/peers';
    my $user = $> == 0 ? 'user www-data;' : '';
    my ($libraries) = glob "$lua/lib/*-linux-*";

    mkdir $dir;
    mkdir "$dir/logs";

    # unprivileged workers may not be able to reach the checkout
    spew("$dir/feed.lua", slurp("$peers/feed.lua"));
    system('cp', '-rL', "$lua/share/lua/5.1", "$libraries/lua/5.1", $dir) == 0
        or die "copying Lua failed\n";

    my %location = (
        LUA()   => [ $script, 'feed' ],
        CARDS() => [ $cards, 'cards' ],
    );
    my $servers = join '', map { '
            server {
                listen 127.0.0.1:' . $t->port($_) . ";
                location = /posts {
                    set \$redis unix:" . $t->redis_socket . ";
                    set \$script $location{$_}[0];
                    content_by_lua_block { require('feed').$location{$_}[1]() }
                }
            }" } sort keys %location;

    spew("$dir/nginx.conf", <<"END");
        load_module $lua/lib/nginx/modules/ndk_http_module.so;
        load_module $lua/lib/nginx/modules/ngx_http_lua_module.so;
        $user
        worker_processes $processes;
        pid $dir/nginx.pid;
        error_log $dir/logs/error.log error;
        events { worker_connections 4096; }
        http {
            access_log off;
            keepalive_requests 10000;
            server_tokens off;
            lua_package_path "$dir/?.lua;$dir/5.1/?.lua;;";
            lua_package_cpath "$dir/5.1/?.so;;";
            init_by_lua_block { require 'feed' }
            $servers
        }
END

    return "LD_LIBRARY_PATH=$libraries /usr/sbin/nginx -p $dir/ -c "
        . "$dir/nginx.conf -e $dir/logs/error.log -g 'daemon off;'";
}


sub DESTROY {
    my ($self) = @_;

    kill 'TERM', @{ $self->{pids} };
    waitpid $_, 0 for @{ $self->{pids} };
}


1;
