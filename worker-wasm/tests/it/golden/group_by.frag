; Groups by one key in a hash table that grows in short calls.
(fragment
  (input (column int64) (column float64))
  (params)
  (pipeline (input 0) (aggregate single (keys c0) (avg float64 c1) (count)))
  (pipeline (groups 0) (filter (is-not-null c1)) (emit)))

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
    i32.const 0
    i64.const 0
    i64.store offset=632 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;16;) (type 16) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i64 i64 i64 i32 i32 i64 i32 i32 i32 i32 i64 i32 f64 i64 i64 f64 f64)
    i32.const 0
    i32.load offset=1044 align=1
    if ;; label = @1
      i32.const 0
      i32.load offset=1028 align=1
      i32.const 3
      i32.shl
      local.set 1
      i32.const 0
      i32.load offset=1048 align=1
      local.set 2
      local.get 2
      local.get 1
      i32.lt_u
      if ;; label = @2
        local.get 1
        local.get 2
        i32.sub
        local.set 3
        local.get 3
        i32.const 1048576
        local.get 3
        i32.const 1048576
        i32.lt_u
        select
        local.set 4
        i32.const 0
        i32.load offset=1024 align=1
        local.get 2
        i32.add
        i32.const 0
        local.get 4
        memory.fill
        i32.const 0
        local.get 2
        local.get 4
        i32.add
        i32.store offset=1048 align=1
        i32.const 1
        return
      end
      i32.const 0
      i32.load offset=1028 align=1
      i32.const 1
      i32.shr_u
      local.set 5
      i32.const 0
      i32.load offset=1052 align=1
      local.set 6
      local.get 5
      local.get 6
      i32.sub
      local.set 7
      local.get 6
      local.get 7
      i32.const 131072
      local.get 7
      i32.const 131072
      i32.lt_u
      select
      i32.add
      local.set 8
      i32.const 0
      i32.load offset=1056 align=1
      local.set 9
      i32.const 0
      i32.load offset=1024 align=1
      local.set 10
      i32.const 0
      i32.load offset=1028 align=1
      i32.const 1
      i32.sub
      local.set 11
      local.get 6
      local.get 8
      i32.lt_u
      if ;; label = @2
        loop ;; label = @3
          local.get 9
          local.get 6
          i32.const 3
          i32.shl
          i32.add
          i64.load align=1
          local.set 12
          local.get 12
          i64.const 0
          i64.ne
          if ;; label = @4
            local.get 12
            i64.const 32
            i64.shr_u
            i32.wrap_i64
            local.get 11
            i32.and
            local.set 13
            block ;; label = @5
              loop ;; label = @6
                local.get 10
                local.get 13
                i32.const 3
                i32.shl
                i32.add
                i64.load align=1
                i64.eqz
                br_if 1 (;@5;)
                local.get 13
                i32.const 1
                i32.add
                local.get 11
                i32.and
                local.set 13
                br 0 (;@6;)
              end
            end
            local.get 10
            local.get 13
            i32.const 3
            i32.shl
            i32.add
            local.get 12
            i64.store align=1
          end
          local.get 6
          i32.const 1
          i32.add
          local.set 6
          local.get 6
          local.get 8
          i32.lt_u
          br_if 0 (;@3;)
        end
      end
      i32.const 0
      local.get 8
      i32.store offset=1052 align=1
      local.get 8
      local.get 5
      i32.lt_u
      if ;; label = @2
        i32.const 1
        return
      end
      i32.const 0
      i32.const 0
      i32.store offset=1044 align=1
    end
    i32.const 0
    i32.load offset=1120 align=1
    i32.eqz
    if ;; label = @1
    end
    i32.const 0
    i32.load offset=1120 align=1
    local.set 14
    i32.const 0
    i32.load offset=64 align=1
    local.set 16
    local.get 16
    i32.load align=1
    local.set 17
    local.get 16
    i32.load offset=32 align=1
    local.set 18
    block ;; label = @1
      loop ;; label = @2
        local.get 0
        local.get 14
        i32.le_u
        br_if 1 (;@1;)
        i32.const 0
        local.get 0
        i32.store offset=1124 align=1
        i32.const 0
        local.get 14
        i32.store offset=1120 align=1
        i32.const 0
        i32.load offset=1036 align=1
        i32.eqz
        if ;; label = @3
          i32.const 262144
          call 4
          local.set 19
          local.get 19
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 19
          i32.store offset=1036 align=1
        end
        i32.const 0
        i32.load offset=1032 align=1
        i32.const 1024
        i32.add
        local.set 20
        i32.const 0
        i32.load offset=1040 align=1
        local.get 20
        i32.lt_u
        if ;; label = @3
          i32.const 24576
          call 4
          local.set 21
          local.get 21
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          i32.load offset=1036 align=1
          i32.const 0
          i32.load offset=1040 align=1
          i32.const 10
          i32.shr_u
          i32.const 2
          i32.shl
          i32.add
          local.get 21
          i32.store align=1
          i32.const 0
          i32.const 0
          i32.load offset=1040 align=1
          i32.const 1024
          i32.add
          i32.store offset=1040 align=1
        end
        i32.const 0
        i32.load offset=1028 align=1
        local.get 20
        i32.const 1
        i32.shl
        i32.lt_u
        if ;; label = @3
          i32.const 0
          i32.load offset=1028 align=1
          i32.const 1
          i32.shl
          local.set 22
          local.get 22
          i32.const 4096
          local.get 22
          select
          local.set 23
          local.get 23
          i32.const 3
          i32.shl
          call 4
          local.set 24
          local.get 24
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          i32.const 0
          local.get 23
          i32.const 1
          i32.shr_u
          i32.const 0
          i32.const 0
          i32.load offset=1028 align=1
          i32.eqz
          select
          i32.store offset=1052 align=1
          i32.const 0
          i32.const 0
          i32.load offset=1024 align=1
          i32.store offset=1056 align=1
          i32.const 0
          local.get 24
          i32.store offset=1024 align=1
          i32.const 0
          local.get 23
          i32.store offset=1028 align=1
          i32.const 0
          i32.const 0
          i32.store offset=1048 align=1
          i32.const 0
          i32.const 1
          i32.store offset=1044 align=1
          i32.const 1
          return
        end
        i32.const 0
        i32.load offset=1072 align=1
        i32.eqz
        if ;; label = @3
          i32.const 1024
          call 4
          local.set 25
          local.get 25
          i32.eqz
          if ;; label = @4
            i32.const 2
            return
          end
          local.get 25
          i32.const 0
          i32.const 1024
          memory.fill
          i32.const 0
          local.get 25
          i32.store offset=1072 align=1
        end
        i32.const 0
        i32.load offset=1072 align=1
        local.set 26
        i32.const 0
        i32.load offset=1024 align=1
        local.set 27
        i32.const 0
        i32.load offset=1028 align=1
        i32.const 1
        i32.sub
        local.set 28
        local.get 0
        local.get 14
        i32.sub
        local.set 29
        local.get 14
        local.get 29
        i32.const 1024
        local.get 29
        i32.const 1024
        i32.lt_u
        select
        i32.add
        local.set 30
        local.get 14
        local.get 30
        i32.lt_u
        if ;; label = @3
          loop ;; label = @4
            local.get 14
            local.set 15
            local.get 17
            local.get 15
            i32.const 8
            i32.mul
            i32.add
            i64.load align=1
            local.set 31
            i32.const 0
            local.set 32
            i32.const 0
            local.set 33
            i32.const 0
            local.set 35
            local.get 31
            i32.wrap_i64
            local.set 34
            local.get 31
            i64.const 253
            i64.gt_u
            local.set 35
            local.get 33
            local.get 35
            i32.or
            local.set 33
            local.get 32
            i32.const 8
            i32.shl
            local.get 34
            i32.or
            local.set 32
            local.get 26
            local.get 32
            i32.const 2
            i32.shl
            i32.add
            local.set 32
            i32.const 0
            local.set 36
            local.get 33
            i32.eqz
            if ;; label = @5
              local.get 32
              i32.load align=1
              local.set 36
            end
            local.get 36
            i32.eqz
            if ;; label = @5
              i64.const 2685821657736338717
              local.set 37
              local.get 37
              local.get 31
              i64.xor
              i64.const -7046029254386353131
              i64.mul_wide_u
              local.set 39
              local.set 38
              local.get 38
              local.get 39
              i64.xor
              local.set 37
              local.get 37
              i32.wrap_i64
              local.set 40
              local.get 40
              local.get 28
              i32.and
              local.set 43
              block ;; label = @6
                loop ;; label = @7
                  local.get 27
                  local.get 43
                  i32.const 3
                  i32.shl
                  i32.add
                  i64.load align=1
                  local.set 42
                  local.get 42
                  i64.eqz
                  if ;; label = @8
                    i32.const 0
                    i32.load offset=1032 align=1
                    local.set 44
                    i32.const 0
                    i32.load offset=1036 align=1
                    local.get 44
                    i32.const 10
                    i32.shr_u
                    i32.const 2
                    i32.shl
                    i32.add
                    i32.load align=1
                    local.get 44
                    i32.const 1023
                    i32.and
                    i32.const 24
                    i32.mul
                    i32.add
                    local.set 45
                    local.get 45
                    local.set 41
                    local.get 41
                    local.get 31
                    i64.store align=1
                    local.get 41
                    i64.const 0
                    i64.store offset=8 align=1
                    local.get 41
                    i64.const 0
                    i64.store offset=16 align=1
                    local.get 27
                    local.get 43
                    i32.const 3
                    i32.shl
                    i32.add
                    local.get 40
                    i64.extend_i32_u
                    i64.const 32
                    i64.shl
                    local.get 41
                    i64.extend_i32_u
                    i64.or
                    i64.store align=1
                    i32.const 0
                    local.get 44
                    i32.const 1
                    i32.add
                    i32.store offset=1032 align=1
                    br 2 (;@6;)
                  end
                  local.get 42
                  i64.const 32
                  i64.shr_u
                  i32.wrap_i64
                  local.get 40
                  i32.eq
                  if ;; label = @8
                    local.get 42
                    i32.wrap_i64
                    local.set 41
                    i32.const 1
                    local.set 46
                    local.get 41
                    i64.load align=1
                    local.set 47
                    local.get 46
                    local.get 47
                    local.get 31
                    i64.eq
                    i32.and
                    local.set 46
                    local.get 46
                    br_if 2 (;@6;)
                  end
                  local.get 43
                  i32.const 1
                  i32.add
                  local.get 28
                  i32.and
                  local.set 43
                  br 0 (;@7;)
                end
              end
              local.get 41
              local.set 36
              local.get 33
              i32.eqz
              if ;; label = @6
                local.get 32
                local.get 36
                i32.store align=1
              end
            end
            local.get 36
            i32.const 8
            i32.add
            local.set 48
            local.get 18
            local.get 15
            i32.const 8
            i32.mul
            i32.add
            f64.load align=1
            local.set 49
            local.get 48
            i64.load align=1
            local.set 50
            local.get 50
            i64.const 1
            i64.add
            local.set 51
            local.get 48
            local.get 51
            i64.store align=1
            local.get 48
            f64.load offset=8 align=1
            local.set 52
            local.get 52
            local.get 49
            f64.add
            local.set 53
            local.get 48
            f64.const nan (;=NaN;)
            local.get 53
            local.get 53
            local.get 53
            f64.ne
            select
            f64.store offset=8 align=1
            local.get 14
            i32.const 1
            i32.add
            local.set 14
            local.get 14
            local.get 30
            i32.lt_u
            br_if 0 (;@4;)
          end
        end
        br 0 (;@2;)
      end
    end
    i32.const 0
    i32.const 0
    i32.store offset=1120 align=1
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
    i32.store offset=1104 align=1
    i32.const 0
    return
    unreachable
  )
  (func (;18;) (type 18) (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i64 f64 i32 f64 i64 i32 i32 i32 i32 i32 i32)
    local.get 0
    i32.const 0
    i32.load offset=1520 align=1
    i32.gt_u
    if ;; label = @1
      local.get 0
      i32.const 63
      i32.add
      i32.const -64
      i32.and
      local.set 1
      local.get 1
      i32.const 26
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
      i32.store offset=1524 align=1
      i32.const 0
      local.get 1
      i32.store offset=1520 align=1
    end
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 0
    i32.mul
    i32.add
    local.set 3
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 8
    i32.mul
    i32.add
    local.set 4
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 16
    i32.mul
    i32.add
    local.set 5
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 17
    i32.mul
    i32.add
    local.set 6
    i32.const 0
    i32.load offset=1524 align=1
    i32.const 0
    i32.load offset=1520 align=1
    i32.const 18
    i32.mul
    i32.add
    local.set 7
    i32.const 0
    local.set 8
    i32.const 0
    i32.load offset=1032 align=1
    local.set 9
    i32.const 0
    i32.load offset=1104 align=1
    if ;; label = @1
      i32.const 0
      i32.load offset=1108 align=1
      local.set 10
      local.get 9
      local.get 10
      i32.sub
      local.set 11
      local.get 10
      local.get 11
      local.get 0
      local.get 11
      local.get 0
      i32.lt_u
      select
      i32.add
      local.set 12
      local.get 10
      local.get 12
      i32.lt_u
      if ;; label = @2
        loop ;; label = @3
          i32.const 0
          i32.load offset=1036 align=1
          local.get 10
          i32.const 10
          i32.shr_u
          i32.const 2
          i32.shl
          i32.add
          i32.load align=1
          local.get 10
          i32.const 1023
          i32.and
          i32.const 24
          i32.mul
          i32.add
          local.set 13
          local.get 13
          i64.load align=1
          local.set 14
          local.get 13
          i32.const 8
          i32.add
          local.set 15
          local.get 15
          i64.load align=1
          local.set 16
          local.get 15
          f64.load offset=8 align=1
          local.set 17
          local.get 16
          i64.eqz
          local.set 18
          local.get 17
          local.get 16
          f64.convert_i64_u
          f64.div
          local.set 19
          local.get 15
          i64.load align=1
          local.set 20
          local.get 20
          i64.eqz
          local.set 21
          local.get 18
          i32.eqz
          local.set 22
          local.get 22
          if ;; label = @4
            local.get 3
            local.get 8
            i32.const 8
            i32.mul
            i32.add
            local.set 23
            local.get 23
            local.get 14
            i64.store align=1
            local.get 4
            local.get 8
            i32.const 8
            i32.mul
            i32.add
            local.set 24
            local.get 24
            f64.const nan (;=NaN;)
            local.get 19
            local.get 19
            local.get 19
            f64.ne
            select
            f64.store align=1
            local.get 5
            local.get 8
            i32.add
            local.get 18
            i32.eqz
            i32.store8
            local.get 7
            local.get 8
            i32.const 8
            i32.mul
            i32.add
            local.set 25
            local.get 25
            local.get 20
            i64.store align=1
            local.get 8
            i32.const 1
            i32.add
            local.set 8
          end
          local.get 10
          i32.const 1
          i32.add
          local.set 10
          local.get 10
          local.get 12
          i32.lt_u
          br_if 0 (;@3;)
        end
      end
      i32.const 0
      local.get 12
      i32.store offset=1108 align=1
    end
    i32.const 0
    local.get 3
    i32.store offset=1424 align=1
    i32.const 0
    local.get 8
    i32.store offset=1440 align=1
    i32.const 0
    local.get 4
    i32.store offset=1456 align=1
    local.get 5
    local.get 8
    local.get 6
    call 5
    i32.const 0
    local.get 6
    i32.store offset=1460 align=1
    i32.const 0
    local.get 8
    i32.store offset=1472 align=1
    i32.const 0
    local.get 7
    i32.store offset=1488 align=1
    i32.const 0
    local.get 8
    i32.store offset=1504 align=1
    i32.const 0
    local.get 8
    i32.store offset=1536 align=1
    i32.const 0
    i32.load offset=1536 align=1
    local.set 26
    i32.const 0
    i32.const 0
    i32.store offset=1536 align=1
    i32.const 0
    local.get 26
    i32.store offset=24 align=1
    i32.const 0
    i32.const 1424
    i32.store offset=28 align=1
    local.get 26
    i32.const 0
    i32.load offset=1032 align=1
    i32.const 0
    i32.load offset=1108 align=1
    i32.sub
    i32.const 0
    i32.const 0
    i32.load offset=1104 align=1
    select
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
