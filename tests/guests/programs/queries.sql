create table item (id integer primary key, name text, price real, class integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
insert into item select i, 'item ' || (i * 7919 % 5003), (i * 37 % 1000) / 8.0, i % 13 from n;
create index by_name on item (name);
select count(*), sum(price), avg(price), min(name), max(name) from item;
select class, count(*), round(sum(price), 3) from item group by class having class % 3 = 0 order by class;
select a.id, b.id, a.name from item a join item b on a.name = b.name and a.id < b.id order by 1 limit 3;
update item set price = price * 1.5 where class in (1, 2, 3);
begin; delete from item where id % 2; rollback;
select hex(sum(id * id)), total(price), group_concat(name, '|') from item where id between 100 and 110;
select name, rank() over (order by price desc, id) from item where class = 5 limit 4;
select 9223372036854775807 + 1, 7 / 2, -7 % 3, 1e300 * 1e10, 0.1 + 0.2, cast('12abc' as integer);
