#!/usr/bin/ruby
# A stand-in for chef-solo, which no registry that the tests can reach has. Options are parsed by the library that Chef parses
# them with, the configuration is loaded by Chef's own loader, in its strict mode; cookbooks, roles, environments and data
# bags are looked up as Chef does. Recipes have four words: file, reboot, data_bag_item, node.
require 'chef-config/config'
require 'json'
require 'mixlib/cli'

class Solo
  include Mixlib::CLI
  # Those of Chef 18 (lib/chef/application/base.rb and solo.rb) that take no network and no server.
  option :config_file, short: '-c CONFIG', long: '--config CONFIG', required: true
  option :json_attribs, short: '-j JSON_ATTRIBS', long: '--json-attributes JSON_ATTRIBS'
  option :environment, short: '-E ENVIRONMENT', long: '--environment ENVIRONMENT'
  option :color, long: '--[no-]color', boolean: true, default: true
  option :log_level, short: '-l LEVEL', long: '--log_level LEVEL'
  option :why_run, short: '-W', long: '--why-run', boolean: true
  option :override_runlist, short: '-o RunlistItem,RunlistItem...', long: '--override-runlist RunlistItem,RunlistItem...'
  option :node_name, short: '-N NODE_NAME', long: '--node-name NODE_NAME'
  option :solo_legacy_mode, long: '--legacy-mode', boolean: true
end

Config = ChefConfig::Config
solo = Solo.new
left = solo.parse_options
abort "too many arguments: #{left}" unless left.empty?
Config.config_strict_mode(true)
begin
  Config.config_file = solo.config[:config_file]
  Config.from_file(solo.config[:config_file])
rescue ChefConfig::ConfigurationError, Mixlib::Config::UnknownConfigOptionError, SyntaxError => error
  warn error.message
  exit 43
end
# What is written outside the bake's own folder stays in the image.
folder = File.dirname(solo.config[:config_file])
%i[node_path file_cache_path file_backup_path checksum_path lockfile role_path data_bag_path environment_path].each do |key|
  next if key == :checksum_path || Config[key].to_s.start_with?("#{folder}/")
  abort "#{key} is #{Config[key]}"
end
abort "anybody can read #{folder}" unless File.stat(folder).mode & 0o777 == 0o700
exit 174 unless ENV['CHEF_LICENSE'] == 'accept'

def json(path)
  File.file?(path) ? JSON.parse(File.read(path)) : abort("there is no #{path}")
end

def merge(under, over)
  under.merge(over) { |_, left, right| left.is_a?(Hash) && right.is_a?(Hash) ? merge(left, right) : right }
end

COOKBOOKS = Config.cookbook_path.flat_map { |path| Dir.glob("#{path}/*/metadata.{rb,json}") }.to_h do |metadata|
  text = File.read(metadata)
  name = metadata.end_with?('json') ? JSON.parse(text)['name'] : text[/^name\s+['"](.*?)['"]/, 1]
  abort "#{metadata} has no name" unless name
  text.scan(/^depends\s+['"](.*?)['"]/) { |of, _| abort "#{name} depends on #{of}" unless text && Dir.glob(Config.cookbook_path.map { |path| "#{path}/#{of}" }).any? }
  [name, File.dirname(metadata)]
end

ATTRIBUTES = json(solo.config[:json_attribs])
@defaults, @overrides = {}, {}
def expand(list)
  list.flat_map do |item|
    case item
    when /\Arole\[(.+)\]\z/
      role = json("#{Config.role_path}/#{$1}.json")
      @defaults, @overrides = merge(@defaults, role['default_attributes'] || {}), merge(@overrides, role['override_attributes'] || {})
      expand(role['run_list'] || [])
    when /\A(?:recipe\[)?([\w-]+)(?:::([\w-]+))?\]?\z/ then [[$1, $2 || 'default']]
    else abort "the run list has #{item}"
    end
  end
end
recipes = expand(ATTRIBUTES.delete('run_list') || [])
if (environment = solo.config[:environment])
  @overrides = merge(@overrides, json("#{Config.environment_path}/#{environment}.json")['override_attributes'] || {})
end
NODE = merge(merge(@defaults, ATTRIBUTES), @overrides)

class Recipe
  attr_accessor :path, :text, :asked
  def node = NODE
  def content(text) = self.text = text
  def not_if(done) = self.asked = !done
  def data_bag_item(bag, item) = json("#{Config.data_bag_path}/#{bag}/#{item}.json")
  def file(path, &block)
    instance_eval(&block)
    File.write(path, text)
  end
  def reboot(status, &block)
    self.asked = true
    instance_eval(&block)
    exit status if asked
  end
end
recipes.each do |cookbook, recipe|
  path = "#{COOKBOOKS.fetch(cookbook) { abort "there is no cookbook #{cookbook}" }}/recipes/#{recipe}.rb"
  abort "#{cookbook} has no recipe #{recipe}" unless File.file?(path)
  puts "#{cookbook}::#{recipe}"
  Recipe.new.instance_eval(File.read(path), path)
end
Dir.mkdir(Config.file_cache_path) unless Dir.exist?(Config.file_cache_path)
