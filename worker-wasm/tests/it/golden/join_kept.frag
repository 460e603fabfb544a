; A left join with a filter on pairs, which puts out rows of the table when all probing has ended.
(fragment
  (input (column int64 nullable) (column int32))
  (params)
  (pipeline (input 0)
    (join left (table (keys 0) (column int64 nullable) (column int32)) (keys c0) (where (lt c1 c3)))
    (emit)))

;; the module
(module
  (type (;0;) (func (param i32 i32) (result i32)))
  (type (;1;) (func (param i64 i64 i64 i64) (result i64 i64 i32)))
  (type (;2;) (func (param i64 i64 i64 i64) (result i64 i64 i64 i64)))
  (type (;3;) (func (param i64 i64) (result f64)))
  (type (;4;) (func (param i32) (result i32)))
  (type (;5;) (func (param i32 i32 i32)))
  (type (;6;) (func (param i32 i32 i32)))
  (type (;7;) (func (param i32 i32 i32) (result i32)))
  (type (;8;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;9;) (func (param i32 i32) (result i64)))
  (type (;10;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;11;) (func (param i32 i32 i32 i32) (result i32)))
  (type (;12;) (func (param i32 i32 i64 i64) (result i32 i32)))
  (type (;13;) (func (param i64) (result i64 i64 i64)))
  (type (;14;) (func (param i64 i64 i64) (result i64)))
  (type (;15;) (func (param i32) (result i32)))
  (type (;16;) (func (param i32) (result i32)))
  (type (;17;) (func (result i32)))
  (type (;18;) (func (param i32) (result i32)))
  (import "murre" "memory" (memory (;0;) 1 65536))
  (import "murre" "raise" (func (;0;) (type 0)))
  (export "open" (func 15))
  (export "push_0" (func 16))
  (export "finish_0" (func 17))
  (export "pull" (func 18))
  (func (;1;) (type 1) (param i64 i64 i64 i64) (result i64 i64 i32)
    unreachable
  )
  (func (;2;) (type 2) (param i64 i64 i64 i64) (result i64 i64 i64 i64)
    unreachable
  )
  (func (;3;) (type 3) (param i64 i64) (result f64)
    unreachable
  )
  (func (;4;) (type 4) (param i32) (result i32)
    (local i32 i32)
    i32.const 0
    i32.load offset=4 align=1
    local.set 1
    local.get 1
    local.get 0
    i32.const 63
    i32.add
    i32.const -64
    i32.and
    i32.add
    local.set 2
    local.get 2
    i32.const 0
    i32.load align=1
    i32.gt_u
    if ;; label = @1
      i32.const 0
      local.get 2
      i32.store offset=8 align=1
      i32.const 0
      return
    end
    i32.const 0
    local.get 2
    i32.store offset=4 align=1
    local.get 1
    return
    unreachable
  )
  (func (;5;) (type 5) (param i32 i32 i32)
    (local i32)
    local.get 0
    local.get 1
    i32.add
    local.set 3
    local.get 0
    local.get 3
    i32.lt_u
    if ;; label = @1
      loop ;; label = @2
        local.get 2
        local.get 0
        v128.load align=1
        i32.const 7
        i8x16.shl
        i8x16.bitmask
        i32.store16 align=1
        local.get 2
        i32.const 2
        i32.add
        local.set 2
        local.get 0
        i32.const 16
        i32.add
        local.set 0
        local.get 0
        local.get 3
        i32.lt_u
        br_if 0 (;@2;)
      end
    end
  )
  (func (;6;) (type 6) (param i32 i32 i32)
    unreachable
  )
  (func (;7;) (type 7) (param i32 i32 i32) (result i32)
    unreachable
  )
  (func (;8;) (type 8) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;9;) (type 9) (param i32 i32) (result i64)
    unreachable
  )
  (func (;10;) (type 10) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;11;) (type 11) (param i32 i32 i32 i32) (result i32)
    unreachable
  )
  (func (;12;) (type 12) (param i32 i32 i64 i64) (result i32 i32)
    unreachable
  )
  (func (;13;) (type 13) (param i64) (result i64 i64 i64)
    unreachable
  )
  (func (;14;) (type 14) (param i64 i64 i64) (result i64)
    unreachable
  )
  (func (;15;) (type 15) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i64 i64 i32 i32 i32)
    i32.const 0
    i64.const 2
    i64.store offset=632 align=1
    i32.const 0
    i32.load offset=96 align=1
    local.set 1
    local.get 1
    local.get 1
    i32.load offset=4 align=1
    i32.add
    local.set 2
    local.get 1
    i32.load offset=8 align=1
    local.set 3
    local.get 1
    local.get 1
    i32.load offset=12 align=1
    i32.add
    local.set 4
    local.get 1
    i32.load offset=16 align=1
    local.set 5
    local.get 1
    i64.load offset=32 align=1
    local.set 6
    local.get 1
    i64.load offset=24 align=1
    local.set 7
    i32.const 0
    i32.load offset=100 align=1
    i32.eqz
    if ;; label = @1
      local.get 1
      i32.load align=1
      call 4
      local.set 8
      local.get 8
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 8
      i32.store offset=100 align=1
    end
    local.get 1
    i32.load align=1
    i32.const 0
    i32.load offset=1500 align=1
    i32.sub
    local.set 9
    local.get 9
    i32.const 1048576
    local.get 9
    i32.const 1048576
    i32.lt_u
    select
    local.set 10
    i32.const 0
    i32.load offset=100 align=1
    i32.const 0
    i32.load offset=1500 align=1
    i32.add
    i32.const 0
    local.get 10
    memory.fill
    i32.const 0
    i32.const 0
    i32.load offset=1500 align=1
    local.get 10
    i32.add
    i32.store offset=1500 align=1
    local.get 10
    local.get 9
    i32.lt_u
    if ;; label = @1
      i32.const 1
      return
    end
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    i32.const 0
    local.get 0
    i32.store offset=1516 align=1
    i32.const 0
    i32.const 0
    i64.load offset=32 align=1
    local.get 0
    i64.extend_i32_u
    i64.add
    i64.store offset=32 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;17;) (type 17) (result i32)
    i32.const 0
    i32.const 1
    i32.store offset=1520 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i64 i64 i32 i32 i64 i32 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i64 i32 i64 i32 i32 i32 i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i64 i32 i32 i32 i64 i32 i32 i64 i32 i32 i32 i32 i64 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32)
    local.get 0
    i32.const 0
    i32.load offset=1152 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 1
      local.get 1
      i32.const 30
      i32.mul
      call 4
      local.set 2
      local.get 2
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 2
      i32.store offset=1156 align=1
      i32.const 0
      local.get 1
      i32.store offset=1152 align=1
    end
    i32.const 1024
    local.set 3
    local.get 3
    i32.const 0
    i32.load offset=1536 align=1
    i32.gt_u
    if ;; label = @1
      local.get 3
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 4
      local.get 4
      i32.const 12
      i32.mul
      call 4
      local.set 5
      local.get 5
      i32.eqz
      if ;; label = @2
        i32.const 2
        return
      end
      i32.const 0
      local.get 5
      i32.store offset=1540 align=1
      i32.const 0
      local.get 4
      i32.store offset=1536 align=1
    end
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 6
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 8
    i32.mul
    i32.add
    local.set 7
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 9
    i32.mul
    i32.add
    local.set 8
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 10
    i32.mul
    i32.add
    local.set 9
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 14
    i32.mul
    i32.add
    local.set 10
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 22
    i32.mul
    i32.add
    local.set 11
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 23
    i32.mul
    i32.add
    local.set 12
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 24
    i32.mul
    i32.add
    local.set 13
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 28
    i32.mul
    i32.add
    local.set 14
    i32.const 0
    i32.load offset=1156 align=1
    i32.const 0
    i32.load offset=1152 align=1
    i32.const 29
    i32.mul
    i32.add
    local.set 15
    i32.const 0
    local.set 16
    i32.const 0
    i32.load offset=1168 align=1
    local.set 16
    i32.const 0
    i32.load offset=96 align=1
    local.set 17
    local.get 17
    local.get 17
    i32.load offset=4 align=1
    i32.add
    local.set 18
    local.get 17
    i32.load offset=8 align=1
    local.set 19
    local.get 17
    local.get 17
    i32.load offset=12 align=1
    i32.add
    local.set 20
    local.get 17
    i32.load offset=16 align=1
    local.set 21
    local.get 17
    i64.load offset=32 align=1
    local.set 22
    local.get 17
    i64.load offset=24 align=1
    local.set 23
    i32.const 0
    i32.load offset=100 align=1
    local.set 24
    i32.const 0
    i32.load offset=1488 align=1
    local.set 25
    i32.const 0
    i32.load offset=1492 align=1
    local.set 26
    i32.const 0
    i32.load offset=1496 align=1
    local.set 27
    i32.const 0
    local.set 28
    i32.const 0
    i32.load offset=1512 align=1
    local.set 29
    i32.const 8
    local.set 30
    i32.const 1
    local.set 31
    block ;; label = @1
      i32.const 0
      i32.load offset=1516 align=1
      local.set 32
      local.get 32
      if ;; label = @2
        i32.const 0
        i32.load offset=1184 align=1
        local.set 33
        i32.const 0
        i32.load offset=64 align=1
        local.set 34
        local.get 34
        i32.load align=1
        local.set 35
        local.get 34
        i32.load offset=4 align=1
        local.set 36
        local.get 34
        i32.load offset=32 align=1
        local.set 37
        i32.const 0
        i32.load offset=1540 align=1
        i32.const 0
        i32.load offset=1536 align=1
        i32.const 0
        i32.mul
        i32.add
        local.set 39
        i32.const 0
        i32.load offset=1504 align=1
        local.set 40
        i32.const 0
        i32.load offset=1508 align=1
        local.set 41
        block ;; label = @3
          loop ;; label = @4
            local.get 40
            local.get 41
            i32.le_u
            if ;; label = @5
              local.get 32
              local.get 33
              i32.le_u
              br_if 2 (;@3;)
              local.get 32
              local.get 33
              i32.sub
              local.set 42
              local.get 33
              local.get 42
              i32.const 1024
              local.get 42
              i32.const 1024
              i32.lt_u
              select
              i32.add
              local.set 43
              local.get 33
              local.set 44
              local.get 39
              local.set 45
              local.get 23
              i64.const 0
              i64.ne
              if ;; label = @6
                local.get 44
                local.get 43
                i32.lt_u
                if ;; label = @7
                  loop ;; label = @8
                    local.get 44
                    local.set 38
                    local.get 35
                    local.get 38
                    i32.const 8
                    i32.mul
                    i32.add
                    i64.load align=1
                    local.set 46
                    local.get 36
                    local.get 38
                    i32.const 3
                    i32.shr_u
                    i32.add
                    i32.load8_u
                    local.get 38
                    i32.const 7
                    i32.and
                    i32.shr_u
                    i32.const 1
                    i32.and
                    i32.eqz
                    local.set 47
                    local.get 46
                    local.set 48
                    local.get 48
                    local.get 22
                    i64.sub
                    local.set 49
                    local.get 49
                    local.get 23
                    local.get 49
                    local.get 23
                    i64.lt_u
                    select
                    local.set 49
                    local.get 17
                    local.get 49
                    i64.const 6
                    i64.shr_u
                    i32.wrap_i64
                    i32.const 16
                    i32.mul
                    i32.add
                    local.set 50
                    local.get 45
                    local.get 38
                    i32.store align=1
                    local.get 45
                    local.get 50
                    i64.load offset=64 align=1
                    local.get 49
                    i64.shr_u
                    i32.wrap_i64
                    i32.const 1
                    i32.and
                    local.get 47
                    i32.eqz
                    i32.and
                    i32.const 12
                    i32.mul
                    i32.add
                    local.set 45
                    local.get 44
                    i32.const 1
                    i32.add
                    local.set 44
                    local.get 44
                    local.get 43
                    i32.lt_u
                    br_if 0 (;@8;)
                  end
                end
                local.get 39
                local.set 51
                local.get 51
                local.get 45
                i32.lt_u
                if ;; label = @7
                  loop ;; label = @8
                    local.get 51
                    i32.load align=1
                    local.set 38
                    local.get 35
                    local.get 38
                    i32.const 8
                    i32.mul
                    i32.add
                    i64.load align=1
                    local.set 52
                    local.get 36
                    local.get 38
                    i32.const 3
                    i32.shr_u
                    i32.add
                    i32.load8_u
                    local.get 38
                    i32.const 7
                    i32.and
                    i32.shr_u
                    i32.const 1
                    i32.and
                    i32.eqz
                    local.set 53
                    local.get 23
                    i64.const 0
                    i64.ne
                    if ;; label = @9
                      local.get 52
                      local.set 56
                      local.get 56
                      local.get 22
                      i64.sub
                      local.set 57
                      local.get 57
                      local.get 23
                      local.get 57
                      local.get 23
                      i64.lt_u
                      select
                      local.set 57
                      local.get 17
                      local.get 57
                      i64.const 6
                      i64.shr_u
                      i32.wrap_i64
                      i32.const 16
                      i32.mul
                      i32.add
                      local.set 58
                      local.get 58
                      i64.load offset=64 align=1
                      local.get 57
                      i64.const -1
                      i64.xor
                      i64.shl
                      local.set 59
                      local.get 58
                      i32.load offset=72 align=1
                      local.get 59
                      i64.popcnt
                      i32.wrap_i64
                      i32.add
                      i32.const 1
                      i32.sub
                      local.set 60
                      local.get 59
                      i64.const 0
                      i64.lt_s
                      local.set 61
                      local.get 21
                      if ;; label = @10
                        local.get 20
                        local.get 60
                        i32.const 3
                        i32.shl
                        i32.add
                        local.set 62
                        local.get 62
                        i32.load align=1
                        local.set 54
                        local.get 62
                        i32.load offset=8 align=1
                        local.set 63
                        local.get 17
                        local.get 63
                        local.get 54
                        local.get 61
                        select
                        i32.add
                        local.set 55
                        local.get 17
                        local.get 54
                        i32.add
                        local.set 54
                      else
                        local.get 18
                        local.get 60
                        i32.const 24
                        i32.mul
                        i32.add
                        local.set 54
                        local.get 54
                        i32.const 24
                        i32.add
                        local.get 54
                        local.get 61
                        select
                        local.set 55
                      end
                    else
                      i64.const 2685821657736338717
                      local.set 64
                      local.get 64
                      i64.const 2685821657736338717
                      local.get 52
                      local.get 53
                      select
                      i64.xor
                      i64.const -7046029254386353131
                      i64.mul_wide_u
                      local.set 66
                      local.set 65
                      local.get 65
                      local.get 66
                      i64.xor
                      local.set 64
                      local.get 64
                      i32.wrap_i64
                      local.set 67
                      local.get 20
                      local.get 67
                      local.get 19
                      i32.shr_u
                      i32.const 3
                      i32.shl
                      i32.add
                      local.set 68
                      local.get 68
                      i64.load offset=8 align=1
                      local.set 69
                      i64.const 1
                      local.get 67
                      i32.const 0
                      i32.shr_u
                      i32.const 15
                      i32.and
                      i64.extend_i32_u
                      i64.shl
                      i64.const 1
                      local.get 67
                      i32.const 4
                      i32.shr_u
                      i32.const 15
                      i32.and
                      i64.extend_i32_u
                      i64.shl
                      i64.or
                      i64.const 32
                      i64.shl
                      local.set 70
                      local.get 68
                      i32.load align=1
                      local.set 54
                      local.get 68
                      i32.load offset=8 align=1
                      local.set 71
                      local.get 17
                      local.get 71
                      local.get 54
                      local.get 69
                      local.get 70
                      i64.and
                      local.get 70
                      i64.eq
                      select
                      i32.add
                      local.set 55
                      local.get 17
                      local.get 54
                      i32.add
                      local.set 54
                    end
                    local.get 54
                    local.get 55
                    local.get 53
                    select
                    local.set 55
                    local.get 51
                    local.get 54
                    i32.store offset=4 align=1
                    local.get 51
                    local.get 55
                    i32.store offset=8 align=1
                    local.get 51
                    i32.const 12
                    i32.add
                    local.set 51
                    local.get 51
                    local.get 45
                    i32.lt_u
                    br_if 0 (;@8;)
                  end
                end
              else
                local.get 44
                local.get 43
                i32.lt_u
                if ;; label = @7
                  loop ;; label = @8
                    local.get 44
                    local.set 38
                    local.get 35
                    local.get 38
                    i32.const 8
                    i32.mul
                    i32.add
                    i64.load align=1
                    local.set 72
                    local.get 36
                    local.get 38
                    i32.const 3
                    i32.shr_u
                    i32.add
                    i32.load8_u
                    local.get 38
                    i32.const 7
                    i32.and
                    i32.shr_u
                    i32.const 1
                    i32.and
                    i32.eqz
                    local.set 73
                    local.get 23
                    i64.const 0
                    i64.ne
                    if ;; label = @9
                      local.get 72
                      local.set 76
                      local.get 76
                      local.get 22
                      i64.sub
                      local.set 77
                      local.get 77
                      local.get 23
                      local.get 77
                      local.get 23
                      i64.lt_u
                      select
                      local.set 77
                      local.get 17
                      local.get 77
                      i64.const 6
                      i64.shr_u
                      i32.wrap_i64
                      i32.const 16
                      i32.mul
                      i32.add
                      local.set 78
                      local.get 78
                      i64.load offset=64 align=1
                      local.get 77
                      i64.const -1
                      i64.xor
                      i64.shl
                      local.set 79
                      local.get 78
                      i32.load offset=72 align=1
                      local.get 79
                      i64.popcnt
                      i32.wrap_i64
                      i32.add
                      i32.const 1
                      i32.sub
                      local.set 80
                      local.get 79
                      i64.const 0
                      i64.lt_s
                      local.set 81
                      local.get 21
                      if ;; label = @10
                        local.get 20
                        local.get 80
                        i32.const 3
                        i32.shl
                        i32.add
                        local.set 82
                        local.get 82
                        i32.load align=1
                        local.set 74
                        local.get 82
                        i32.load offset=8 align=1
                        local.set 83
                        local.get 17
                        local.get 83
                        local.get 74
                        local.get 81
                        select
                        i32.add
                        local.set 75
                        local.get 17
                        local.get 74
                        i32.add
                        local.set 74
                      else
                        local.get 18
                        local.get 80
                        i32.const 24
                        i32.mul
                        i32.add
                        local.set 74
                        local.get 74
                        i32.const 24
                        i32.add
                        local.get 74
                        local.get 81
                        select
                        local.set 75
                      end
                    else
                      i64.const 2685821657736338717
                      local.set 84
                      local.get 84
                      i64.const 2685821657736338717
                      local.get 72
                      local.get 73
                      select
                      i64.xor
                      i64.const -7046029254386353131
                      i64.mul_wide_u
                      local.set 86
                      local.set 85
                      local.get 85
                      local.get 86
                      i64.xor
                      local.set 84
                      local.get 84
                      i32.wrap_i64
                      local.set 87
                      local.get 20
                      local.get 87
                      local.get 19
                      i32.shr_u
                      i32.const 3
                      i32.shl
                      i32.add
                      local.set 88
                      local.get 88
                      i64.load offset=8 align=1
                      local.set 89
                      i64.const 1
                      local.get 87
                      i32.const 0
                      i32.shr_u
                      i32.const 15
                      i32.and
                      i64.extend_i32_u
                      i64.shl
                      i64.const 1
                      local.get 87
                      i32.const 4
                      i32.shr_u
                      i32.const 15
                      i32.and
                      i64.extend_i32_u
                      i64.shl
                      i64.or
                      i64.const 32
                      i64.shl
                      local.set 90
                      local.get 88
                      i32.load align=1
                      local.set 74
                      local.get 88
                      i32.load offset=8 align=1
                      local.set 91
                      local.get 17
                      local.get 91
                      local.get 74
                      local.get 89
                      local.get 90
                      i64.and
                      local.get 90
                      i64.eq
                      select
                      i32.add
                      local.set 75
                      local.get 17
                      local.get 74
                      i32.add
                      local.set 74
                    end
                    local.get 74
                    local.get 75
                    local.get 73
                    select
                    local.set 75
                    local.get 45
                    local.get 38
                    i32.store align=1
                    local.get 45
                    local.get 74
                    i32.store offset=4 align=1
                    local.get 45
                    local.get 75
                    i32.store offset=8 align=1
                    local.get 45
                    local.get 74
                    local.get 75
                    i32.lt_u
                    i32.const 12
                    i32.mul
                    i32.add
                    local.set 45
                    local.get 44
                    i32.const 1
                    i32.add
                    local.set 44
                    local.get 44
                    local.get 43
                    i32.lt_u
                    br_if 0 (;@8;)
                  end
                end
              end
              local.get 44
              local.set 33
              local.get 45
              local.get 39
              i32.sub
              i32.const 12
              i32.div_u
              local.set 40
              i32.const 0
              local.set 41
              i32.const 0
              i32.const 0
              i32.store offset=1528 align=1
            end
            i32.const 0
            local.get 33
            i32.store offset=1184 align=1
            i32.const 0
            local.get 32
            i32.store offset=1188 align=1
            i32.const 0
            local.get 40
            i32.store offset=1504 align=1
            i32.const 0
            local.get 41
            i32.store offset=1508 align=1
            i32.const 0
            i32.load offset=1528 align=1
            i32.eqz
            i32.const 0
            i32.load offset=628 align=1
            i32.const -1
            i32.eq
            i32.eqz
            i32.and
            local.get 40
            i32.const 0
            i32.gt_u
            i32.and
            if ;; label = @5
              i32.const 0
              local.get 29
              i32.store offset=1512 align=1
              i32.const 0
              local.get 25
              i32.store offset=1488 align=1
              i32.const 0
              local.get 26
              i32.store offset=1492 align=1
              i32.const 0
              local.get 27
              i32.store offset=1496 align=1
              i32.const 0
              local.get 16
              i32.store offset=1168 align=1
              i32.const 0
              i32.const 1
              i32.store offset=1528 align=1
              i32.const 0
              i64.const 2
              i64.store offset=608 align=1
              i32.const 0
              local.get 39
              i32.store offset=616 align=1
              i32.const 0
              i32.const 12
              i32.store offset=620 align=1
              i32.const 0
              local.get 40
              i32.store offset=624 align=1
              i32.const 4
              return
            end
            i32.const 0
            local.get 29
            i32.store offset=1512 align=1
            i32.const 0
            local.get 25
            i32.store offset=1488 align=1
            i32.const 0
            local.get 26
            i32.store offset=1492 align=1
            i32.const 0
            local.get 27
            i32.store offset=1496 align=1
            local.get 0
            local.get 16
            i32.const 1
            i32.shl
            i32.le_u
            local.get 30
            i32.eqz
            i32.or
            br_if 3 (;@1;)
            local.get 0
            local.get 16
            i32.sub
            local.set 92
            local.get 92
            i32.const 1024
            local.get 92
            i32.const 1024
            i32.lt_u
            select
            local.set 28
            local.get 30
            i32.const 1
            i32.sub
            local.set 30
            block ;; label = @5
              loop ;; label = @6
                local.get 40
                local.get 41
                i32.le_u
                br_if 1 (;@5;)
                local.get 39
                local.get 41
                i32.const 12
                i32.mul
                i32.add
                local.set 93
                local.get 29
                i32.eqz
                if ;; label = @7
                  local.get 28
                  i32.const 0
                  i32.le_s
                  br_if 2 (;@5;)
                  local.get 93
                  i32.load offset=4 align=1
                  local.set 25
                  local.get 93
                  i32.load offset=8 align=1
                  local.set 26
                  i32.const 0
                  local.set 27
                end
                local.get 93
                i32.load align=1
                local.set 38
                local.get 35
                local.get 38
                i32.const 8
                i32.mul
                i32.add
                i64.load align=1
                local.set 94
                local.get 36
                local.get 38
                i32.const 3
                i32.shr_u
                i32.add
                i32.load8_u
                local.get 38
                i32.const 7
                i32.and
                i32.shr_u
                i32.const 1
                i32.and
                i32.eqz
                local.set 95
                block ;; label = @7
                  loop ;; label = @8
                    local.get 26
                    local.get 25
                    i32.le_u
                    br_if 1 (;@7;)
                    local.get 29
                    i32.const 1
                    i32.eq
                    if ;; label = @9
                      i32.const 0
                      local.set 29
                    end
                    local.get 29
                    i32.eqz
                    if ;; label = @9
                      local.get 28
                      i32.const 0
                      i32.le_s
                      if ;; label = @10
                        i32.const 1
                        local.set 29
                        br 5 (;@5;)
                      end
                      local.get 28
                      i32.const 1
                      i32.sub
                      local.set 28
                    end
                    i32.const 1
                    local.set 96
                    local.get 23
                    i64.const 0
                    i64.ne
                    i32.eqz
                    if ;; label = @9
                      local.get 25
                      i64.load offset=8 align=1
                      local.set 97
                      local.get 25
                      i32.load8_u offset=16
                      local.set 98
                      local.get 96
                      local.get 97
                      local.get 94
                      i64.eq
                      local.get 98
                      local.get 95
                      i32.or
                      i32.eqz
                      i32.and
                      i32.and
                      local.set 96
                    end
                    local.get 96
                    if ;; label = @9
                      local.get 25
                      i32.load offset=4 align=1
                      local.set 99
                      local.get 37
                      local.get 38
                      i32.const 4
                      i32.mul
                      i32.add
                      i32.load align=1
                      local.set 100
                      local.get 99
                      local.get 100
                      i32.lt_s
                      local.set 101
                      local.get 101
                      local.set 96
                    end
                    local.get 96
                    if ;; label = @9
                      local.get 24
                      local.get 25
                      local.get 18
                      i32.sub
                      i32.const 24
                      i32.div_u
                      i32.add
                      i32.const 1
                      i32.store8
                      local.get 25
                      i64.load offset=8 align=1
                      local.set 102
                      local.get 25
                      i32.load8_u offset=16
                      local.set 103
                      local.get 6
                      local.get 16
                      i32.const 8
                      i32.mul
                      i32.add
                      local.set 104
                      local.get 104
                      local.get 102
                      i64.store align=1
                      local.get 7
                      local.get 16
                      i32.add
                      local.get 103
                      i32.eqz
                      i32.store8
                      local.get 25
                      i32.load offset=4 align=1
                      local.set 105
                      local.get 9
                      local.get 16
                      i32.const 4
                      i32.mul
                      i32.add
                      local.set 106
                      local.get 106
                      local.get 105
                      i32.store align=1
                      local.get 35
                      local.get 38
                      i32.const 8
                      i32.mul
                      i32.add
                      i64.load align=1
                      local.set 107
                      local.get 36
                      local.get 38
                      i32.const 3
                      i32.shr_u
                      i32.add
                      i32.load8_u
                      local.get 38
                      i32.const 7
                      i32.and
                      i32.shr_u
                      i32.const 1
                      i32.and
                      i32.eqz
                      local.set 108
                      local.get 10
                      local.get 16
                      i32.const 8
                      i32.mul
                      i32.add
                      local.set 109
                      local.get 109
                      local.get 107
                      i64.store align=1
                      local.get 11
                      local.get 16
                      i32.add
                      local.get 108
                      i32.eqz
                      i32.store8
                      local.get 37
                      local.get 38
                      i32.const 4
                      i32.mul
                      i32.add
                      i32.load align=1
                      local.set 110
                      local.get 13
                      local.get 16
                      i32.const 4
                      i32.mul
                      i32.add
                      local.set 111
                      local.get 111
                      local.get 110
                      i32.store align=1
                      local.get 14
                      local.get 16
                      i32.add
                      i32.const 1
                      i32.store8
                      local.get 16
                      i32.const 1
                      i32.add
                      local.set 16
                    end
                    local.get 25
                    i32.const 24
                    i32.add
                    local.set 25
                    br 0 (;@8;)
                  end
                end
                local.get 41
                i32.const 1
                i32.add
                local.set 41
                br 0 (;@6;)
              end
            end
            br 0 (;@4;)
          end
        end
        i32.const 0
        i32.const 0
        i32.store offset=1184 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1504 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1508 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1512 align=1
        i32.const 0
        i32.const 0
        i32.store offset=1516 align=1
      end
      i32.const 0
      i32.load offset=1524 align=1
      local.set 112
      local.get 17
      i32.load align=1
      local.set 113
      i32.const 0
      i32.load offset=1520 align=1
      i32.const 0
      i32.load offset=104 align=1
      i32.and
      if ;; label = @2
        block ;; label = @3
          loop ;; label = @4
            i32.const 0
            local.get 112
            i32.store offset=1524 align=1
            local.get 113
            local.get 112
            i32.le_u
            br_if 1 (;@3;)
            i32.const 0
            local.get 29
            i32.store offset=1512 align=1
            i32.const 0
            local.get 25
            i32.store offset=1488 align=1
            i32.const 0
            local.get 26
            i32.store offset=1492 align=1
            i32.const 0
            local.get 27
            i32.store offset=1496 align=1
            local.get 0
            local.get 16
            i32.const 1
            i32.shl
            i32.le_u
            local.get 30
            i32.eqz
            i32.or
            br_if 3 (;@1;)
            local.get 0
            local.get 16
            i32.sub
            local.set 114
            local.get 114
            i32.const 1024
            local.get 114
            i32.const 1024
            i32.lt_u
            select
            local.set 28
            local.get 30
            i32.const 1
            i32.sub
            local.set 30
            block ;; label = @5
              loop ;; label = @6
                local.get 113
                local.get 112
                i32.le_u
                br_if 1 (;@5;)
                local.get 29
                i32.eqz
                if ;; label = @7
                  local.get 28
                  i32.const 0
                  i32.le_s
                  br_if 2 (;@5;)
                  local.get 28
                  i32.const 1
                  i32.sub
                  local.set 28
                end
                local.get 24
                local.get 112
                i32.add
                i32.load8_u
                i32.eqz
                if ;; label = @7
                  local.get 18
                  local.get 112
                  i32.const 24
                  i32.mul
                  i32.add
                  local.set 115
                  i64.const 0
                  local.set 116
                  i32.const 1
                  local.set 117
                  i32.const 0
                  local.set 118
                  i32.const 1
                  local.set 119
                  local.get 115
                  i64.load offset=8 align=1
                  local.set 120
                  local.get 115
                  i32.load8_u offset=16
                  local.set 121
                  local.get 6
                  local.get 16
                  i32.const 8
                  i32.mul
                  i32.add
                  local.set 122
                  local.get 122
                  local.get 120
                  i64.store align=1
                  local.get 7
                  local.get 16
                  i32.add
                  local.get 121
                  i32.eqz
                  i32.store8
                  local.get 115
                  i32.load offset=4 align=1
                  local.set 123
                  local.get 9
                  local.get 16
                  i32.const 4
                  i32.mul
                  i32.add
                  local.set 124
                  local.get 124
                  local.get 123
                  i32.store align=1
                  local.get 10
                  local.get 16
                  i32.const 8
                  i32.mul
                  i32.add
                  local.set 125
                  local.get 125
                  local.get 116
                  i64.store align=1
                  local.get 11
                  local.get 16
                  i32.add
                  local.get 117
                  i32.eqz
                  i32.store8
                  local.get 13
                  local.get 16
                  i32.const 4
                  i32.mul
                  i32.add
                  local.set 126
                  local.get 126
                  local.get 118
                  i32.store align=1
                  local.get 14
                  local.get 16
                  i32.add
                  local.get 119
                  i32.eqz
                  i32.store8
                  local.get 16
                  i32.const 1
                  i32.add
                  local.set 16
                end
                local.get 112
                i32.const 1
                i32.add
                local.set 112
                br 0 (;@6;)
              end
            end
            br 0 (;@4;)
          end
        end
      end
      i32.const 0
      local.set 31
    end
    i32.const 0
    local.get 6
    i32.store offset=1024 align=1
    local.get 7
    local.get 16
    local.get 8
    call 5
    i32.const 0
    local.get 8
    i32.store offset=1028 align=1
    i32.const 0
    local.get 16
    i32.store offset=1040 align=1
    i32.const 0
    local.get 9
    i32.store offset=1056 align=1
    i32.const 0
    local.get 16
    i32.store offset=1072 align=1
    i32.const 0
    local.get 10
    i32.store offset=1088 align=1
    local.get 11
    local.get 16
    local.get 12
    call 5
    i32.const 0
    local.get 12
    i32.store offset=1092 align=1
    i32.const 0
    local.get 16
    i32.store offset=1104 align=1
    i32.const 0
    local.get 13
    i32.store offset=1120 align=1
    local.get 14
    local.get 16
    local.get 15
    call 5
    i32.const 0
    local.get 15
    i32.store offset=1124 align=1
    i32.const 0
    local.get 16
    i32.store offset=1136 align=1
    i32.const 0
    local.get 16
    i32.store offset=1168 align=1
    i32.const 0
    i32.load offset=1168 align=1
    local.set 127
    i32.const 0
    i32.const 0
    i32.store offset=1168 align=1
    i32.const 0
    local.get 127
    i32.store offset=24 align=1
    i32.const 0
    i32.const 1024
    i32.store offset=28 align=1
    local.get 127
    local.get 31
    i32.or
    if ;; label = @1
      i32.const 1
      return
    end
    i32.const 0
    return
    unreachable
  )
)
