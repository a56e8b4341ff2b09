package Imagegram::Conf;

# The nginx.conf of a test.  %%NAME%% is left to be substituted.

use strict;
use warnings;


# From the options of Imagegram->new

sub text {
    my ($t) = @_;

    my $preamble = preamble($t);
    my ($map, $identity) = identity($t);
    my $settings = settings($t);
    my $cache = cache($t);
    my $http2 = $t->{http2} ? 'listen 127.0.0.1:%%PORT_2%% http2;' : '';
    my %more = map { $_ => $t->{$_} // '' } qw(main http server api servers);

    return <<"END";
$preamble
worker_processes $t->{workers};
$more{main}

events {
    worker_connections $t->{connections};
}

http {
    access_log off;
    client_max_body_size 140m;

    client_body_temp_path %%DIR%%/tmp/body;
    proxy_temp_path %%DIR%%/tmp/proxy;
    fastcgi_temp_path %%DIR%%/tmp/fastcgi;
    uwsgi_temp_path %%DIR%%/tmp/uwsgi;
    scgi_temp_path %%DIR%%/tmp/scgi;

    $settings
    $map
    $more{http}

    server {
        listen 127.0.0.1:%%PORT%%;
        $http2
        $more{server}

        location $t->{location} {
            imagegram;
            $cache
            $identity
            $more{api}
        }

        location /images/ {
            alias %%DIR%%/storage/images/;
            types { }
            default_type image/jpeg;
            add_header Cache-Control "public, max-age=31536000, immutable";
            add_header X-Content-Type-Options nosniff;
            max_ranges 1;
        }
    }

    $more{servers}
}
END
}


# The lines at the main level that every configuration needs.  The sanitizers'
# variables are for the converter, which nginx gives a clean environment.

sub preamble {
    my ($t) = @_;

    my $lines = "load_module %%MODULE%%;\npid %%DIR%%/nginx.pid;\n"
        . "error_log %%DIR%%/logs/error.log $t->{log};\n";

    $lines .= "user www-data;\n" if $> == 0;
    $lines .= "env ASAN_OPTIONS;\nenv UBSAN_OPTIONS;\n" if $t->sanitized;

    return $lines;
}


# A conversion may take longer than usual, under a sanitizer on a busy machine.

sub settings {
    my ($t) = @_;

    my %settings = (
        redis      => '%%REDIS%%',
        storage    => '%%DIR%%/storage',
        sweep      => 'off',
        converters => '1 timeout=5m path=%%CONVERTER%%',
        %{ $t->{settings} // {} },
    );

    return join "\n    ", map { "imagegram_$_ $settings{$_};" }
        grep { defined $settings{$_} } sort keys %settings;
}


# Only where the test's own requests go: other locations may have other feeds.

sub cache {
    my ($t) = @_;

    my $value = $ENV{IMAGEGRAM_CACHE};

    return '' if !$value || exists(($t->{settings} // {})->{cache});
    return "imagegram_cache $value;";
}


# Reading needs nobody: as in nginx.conf.example

sub identity {
    my ($t) = @_;

    return ('', '') unless $t->{users};

    return (
        'map "$request_method $uri" $realm { "~^(GET|OPTIONS) " off;
            "~^HEAD (?!.*/uploads/)" off; default test; }',
        'imagegram_user $remote_user; auth_basic $realm;
            auth_basic_user_file %%DIR%%/htpasswd;'
    );
}


1;
